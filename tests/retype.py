#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""retype.py TAP: tries to make a tap device one of another link type (PPP), and says how it went."""

import fcntl
import os
import struct
import sys

TUNSETIFF, TUNSETLINK = 0x400454CA, 0x400454CD
IFF_TAP, IFF_NO_PI = 2, 0x1000
ARPHRD_PPP = 512

tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", sys.argv[1].encode(), IFF_TAP | IFF_NO_PI))
try:
    fcntl.ioctl(tun, TUNSETLINK, ARPHRD_PPP)
    print("done")
except OSError as error:
    print(error.strerror)
