# SPDX-License-Identifier: GPL-2.0
"""multicast.py ADDRESS COUNT: sends COUNT packets to a group by the device of that address, listens to the
group there itself, and prints how many it has heard: Linux loops them back by that device."""

import socket
import sys

address, count = sys.argv[1], int(sys.argv[2])
group = socket.inet_aton("239.1.1.1") + socket.inet_aton(address)
hear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
hear.bind(("239.1.1.1", 5007))
hear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
hear.settimeout(1)
say = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
say.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
say.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
heard = 0
for _ in range(count):
    say.sendto(b"hello", ("239.1.1.1", 5007))
try:
    while hear.recv(100):
        heard += 1
except TimeoutError:
    pass
print(heard)
