# SPDX-License-Identifier: GPL-2.0
"""The balancer's strategies: two of the kernel's, and those of LANA's block `multipath`."""

import network

# The value of net.ipv4.fib_multipath_hash_policy, and for 3 that of fib_multipath_hash_fields. By policy 1 the
# kernel would take the hash that a packet brings along: here that of the sender's socket, which is chance, and
# another one after each timeout. Policy 3, told the same fields (addresses, protocol, ports), looks at the packet.
KERNEL = {"ecmp-l3": (0, 0), "ecmp-l4": (3, 0x37)}
LANA = ("route", "packet", "session", "bandwidth", "utilisation", "flowlet", "hash")


def start(strategy, rates, weights, capacities, variant=network.Variant()):
    """Makes the network, and has a strategy balance it."""
    network.build(rates, strategy in LANA, variant)
    if strategy in LANA:
        lana(strategy, weights, capacities)
    else:
        network.route(weights, *KERNEL[strategy])


def lana(strategy, weights, capacities):
    """LANA's block, below `in` and above the uplinks. Its ports have numbers in the order they are bound."""
    network.enter("balancer")
    network.run("modprobe", "lana")
    for device in ("in", *network.UPLINKS):
        # It has an address, which it is to lose.
        network.run("vlink", "ethernet", "hook", device, "--yes")
    network.run("fbctl", "add", "m", "multipath")
    network.run("fbctl", "bind", "in", "m")
    for uplink in network.UPLINKS:
        network.run("fbctl", "bind", "m", uplink)
    # The thesis speaks of destinations, of which there are four.
    settings = [f"strategy={strategy}", "route-key=destination"]
    for number, (weight, capacity) in enumerate(zip(weights, capacities)):
        settings += [f"port.{number}.weight={weight}", f"port.{number}.capacity={capacity}mbit"]
    for setting in settings:
        network.run("fbctl", "set", "m", setting)
