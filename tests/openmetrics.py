# SPDX-License-Identifier: GPL-2.0
"""openmetrics.py check FILE: what `fbctl metrics` has printed, by the parser of the Prometheus project; and whether
its numbers are those that fbctl and vlink tell.
openmetrics.py dashboard DASHBOARD FILE: whether each metric that a dashboard of Grafana asks for is in FILE."""

import json
import re
import subprocess
import sys

from lana import check, end

sys.path.append("/usr/lib/python3/dist-packages")  # which -S leaves out
from prometheus_client.openmetrics.parser import text_string_to_metric_families  # noqa: E402


def read(path):
    """The families in a file, by name; or why it is no OpenMetrics."""
    with open(path, encoding="utf-8") as file:
        try:
            return {family.name: family for family in text_string_to_metric_families(file.read())}, None
        except ValueError as error:
            return {}, error


def tool(*command):
    """What a tool says, as JSON."""
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def against_tools(families):
    """Each number by its sample and labels, beside what the tools say."""
    samples = {(s.name, tuple(sorted(s.labels.items()))): s.value
               for family in families.values() for s in family.samples}
    stats = tool("fbctl", "-j", "stats")
    wanted = {}

    def want(name, value, **labels):
        wanted[name, tuple(sorted(labels.items()))] = value

    for fb in stats["fb"]:
        for key in ("packets", "bytes", "skbs"):
            want(f"lana_block_{key}_total", fb["stats"].get(key, 0), block=fb["name"])
        for drop in fb["stats"].get("drop", []):
            want("lana_block_drops_total", drop["packets"], block=fb["name"], reason=drop["reason"])
    for cpu in stats["ppe"]:
        for key in ("packets", "bytes", "calls", "drops", "unclaimed"):
            want(f"lana_cpu_{key}_total", cpu.get(key, 0), cpu=str(cpu["cpu"]))
        want("lana_cpu_backlog_max", cpu.get("backlog-max", 0), cpu=str(cpu["cpu"]))
    for fb in tool("fbctl", "-j", "show"):
        device = {"device": fb["ifname"]} if "ifname" in fb else {}
        want("lana_block_info", 1, block=fb["name"], type=fb["type"], **device)
        for option in fb.get("option", []):
            # What is a rate is another one a moment later.
            if not option.get("config") and option["value"].isdigit() and not option["key"].endswith(("rate", "pps")):
                label = {}
                key = re.sub(r"^(\w+)\.(\d+)\.", lambda m: label.update({m[1]: m[2]}) or f"{m[1]}_", option["key"])
                name = re.sub(r"\W", "_", f"lana_fb_{fb['type']}_{key}")
                want(name, int(option["value"]), block=fb["name"], **label)
    for device in tool("vlink", "-j", "show"):
        want("lana_device_xdp", int("xdp" in device), device=device["ifname"])
    wrong = {what: (value, samples.get(what)) for what, value in wanted.items() if samples.get(what) != value}
    check(f"all {len(wanted)} numbers are what the tools say", not wrong and len(wanted) > 50, wrong)


def main():
    families, error = read(sys.argv[-1])
    check("it is OpenMetrics", not error, error)
    if sys.argv[1] == "check":
        check("each family says what it is", all(f.documentation and f.type for f in families.values()))
        check("units are what names end with", all(f.name.endswith(f.unit) for f in families.values()))
        check("packets and bytes have units", families["lana_block_packets"].unit == "packets"
              and families["lana_block_bytes"].unit == "bytes")
        against_tools(families)
    else:
        with open(sys.argv[2], encoding="utf-8") as file:
            dashboard = json.load(file)
        asked = set(re.findall(r"\blana_\w+", json.dumps(dashboard)))
        there = {s.name for family in families.values() for s in family.samples}
        check(f"the dashboard asks for {len(asked)} metrics, which are there", asked and asked <= there, asked - there)
        panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
        check("each of its panels asks for one", all("lana_" in t["expr"] for p in panels for t in p["targets"]))
        boxes = [(p["gridPos"]["x"], p["gridPos"]["y"], p["gridPos"]["w"], p["gridPos"]["h"]) for p in dashboard["panels"]]
        check("none stands on another", all(
            a == b or a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]
            for a in boxes for b in boxes) and len(set(boxes)) == len(boxes))
    end()


main()
