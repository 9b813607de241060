#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""inside.py"""
import json, sys, time
import topology, trace
from routers import Routers

def routes():
    topology.build(int(sys.argv[1]))
    topology.answer()
    t=time.monotonic()
    routers = Routers()
    routers.converge()
    print("converged", time.monotonic()-t, file=sys.stderr)
    for s in topology.NAMES: 
        print(s, [(r["network"],r["next"],r["path"],r["best"]) for r in routers.routes(s)])
    for h,t in (("pcA",topology.SERVICE),("pcB",topology.SERVICE),("pcB","11.0.0.10")):
        print(h,t,trace.trace(h,t))
routes()
