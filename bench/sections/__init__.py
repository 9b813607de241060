# SPDX-License-Identifier: GPL-2.0
"""The sections, in the order in which they are run, and the memory of the machine that each wants."""

NAMES = {"drop": "512M", "frames": "512M", "chain": "512M", "forward": "512M", "echo": "512M", "classify": "1800M", "nat": "512M",
         "netflow": "1800M", "switch": "512M", "shape": "1G", "delay": "1G", "sizes": "512M", "sockets": "1G",
         "instances": "1800M", "reconfig": "1G", "trafgen": "512M",
         "watch": "512M", "cores": "1800M"}
# Those that want another kernel than uml-up, which has one CPU. They are run where they are named.
LANES = {"cores": "uml"}
