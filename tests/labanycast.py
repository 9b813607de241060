#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make lab-anycast` (see Documentation/lab-anycast.md), in short and in real time: the routes, the ways and the answers are those
of the report, and a site that fails withdraws the service where somebody looks after it."""

import os
import sys

from lana import check

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lab/anycast"))
# pylint: disable=wrong-import-position
import health
import inside
import report
import topology
import wire

LONG = os.environ.get("LANA_LONG")


def message(kind, body):
    return b"\xff" * 16 + (19 + len(body)).to_bytes(2) + bytes([kind]) + body


def update(gone, attributes, come):
    return message(2, len(gone).to_bytes(2) + gone + len(attributes).to_bytes(2) + attributes + come)


def updates():
    """What is read from the wire."""
    service, other = b"\x08\x32", b"\x10\x32\x32"
    stream = (message(4, b"") + update(other + service, b"", b"") + update(b"", b"\x40\x01\x01\x00", service + other)
              + update(other, b"", b"") + update(service, b"", service))
    told = list(wire.updates(stream))
    check("UPDATEs tell of the service", told == ["withdraw", "announce", "withdraw", "announce"], told)
    check("what is no message of BGP tells of nothing", not list(wire.updates(b"GET / HTTP/1.1\r\n" * 4)))


def routes(routers):
    """As the report has them."""
    found, text = inside.look(routers, 0, 50), report.Text()
    report.routes(text, found)
    check("routes, ways and answers are those of the report", not text.wrong, *text.wrong, *text.lines)
    picture = report.picture(found)
    check("the picture has all systems and links", picture.count("<rect") == 1 + len(topology.NAMES)
          and picture.count("marker-end") == len(topology.LINKS) - 1, picture)


def fails(routers, care, kind, withdrawn):
    """A site fails: is it withdrawn, and does a client get answers again?"""
    one = inside.Failover(routers, care).once("dinrA", kind)
    if withdrawn:
        check(f"{kind}: the site withdraws the service, and announces it again", None not in (one["withdrawn"], one["announced"]), one)
        check(f"{kind}: the other site answers", one["last"] == one["sent"] - 1, one)
    else:
        check(f"{kind}: nobody withdraws the service", one["withdrawn"] is None, one)
        check(f"{kind}: all further requests are lost", one["last"] + 1 + one["gap"] == one["sent"], one)
    check(f"{kind}: it was answered before", one["answered"] > 0, one)


def network(name, *ways, router="bird", seconds=3):
    """With somebody who looks after the sites: failures, and whether these are found."""
    care = health.CHOICES[name]()
    # The machine may have others to do.
    care.found, care.patience = max(care.found, seconds), 1000
    routers = inside.start(care, router, 0)
    care.start(routers)
    # Probes would be counted, too.
    if not care.programs:
        routes(routers)
    for kind, withdrawn in ways:
        fails(routers, care, kind, withdrawn)
    care.stop()
    routers.stop()
    topology.remove()


updates()
network("link", ("unbound", False), ("device down", True))
network("lanad", ("removed", True))
if LONG:
    network("none", *((kind, False) for kind in inside.FAILURES))
    network("poll", *((kind, True) for kind in inside.FAILURES))
    network("lanad", *((kind, True) for kind in inside.FAILURES))
    # Those that `make lab-anycast ROUTER=` has fetched.
    for router, program in (("frr", "/usr/lib/frr/bgpd"), ("gobgp", "/usr/bin/gobgpd")):
        if os.path.exists(program):
            network("none", router=router)
            network("lanad", ("removed", True), router=router, seconds=10)
print("end")
