# SPDX-License-Identifier: GPL-2.0
"""Prints the results of the experiments beside those of the report, and compares both."""

import re
import statistics

from topology import LINKS, NAMES, PREFIX, SITES, address, prefix

# The report's BGP tables of both enterprises: network and AS path, all by the same next hop.
TABLES = {
    20: ("172.16.0.17", {1: "4 2 1", 2: "4 2", 3: "4 2 1 3", 4: "4", 5: "4 2 1 3 5", 11: "4 11", 20: "", 21: "4 2 1 3 5 21",
                         50: "4 12"}),
    21: ("172.16.0.21", {1: "5 3 1", 2: "5 3 1 2", 3: "5 3", 4: "5 3 1 2 4", 5: "5", 11: "5 3 1 2 4 11", 20: "5 3 1 2 4 20", 21: "",
                         50: "5 13"}),
}
# Its traceroutes: from, to, and the hops with their milliseconds.
TRACES = (
    ("pcA", "50.50.50.50", (("20.0.0.1", 10.6, 9.6, 10.2), ("172.16.0.17", 30.3, 31.0, 30.5), ("172.16.0.30", 41.3, 40.0, 29.9),
                            ("50.50.50.50", 61.3, 50.3, 40.7))),
    ("pcB", "50.50.50.50", (("21.0.0.1", 5.0, 10.7, 9.1), ("172.16.0.21", 19.9, 19.2, 19.8), ("172.16.0.34", 29.5, 39.4, 40.2),
                            ("50.50.50.50", 50.7, 51.7, 51.3))),
    ("pcB", "11.0.0.10", (("21.0.0.1", 7.4, 9.6, 9.4), ("172.16.0.21", 20.0, 20.2, 19.7), ("172.16.0.9", 30.8, 31.1, 29.8),
                          ("172.16.0.5", 40.6, 41.4, 41.1), ("172.16.0.2", 50.6, 51.0, 50.8), ("172.16.0.14", 60.6, 61.5, 61.5),
                          ("172.16.0.26", 73.2, 71.7, 80.9), ("11.0.0.10", 92.7, 104.2, 103.8))),
)
# Answers a second, without steering and with it.
STEERED = (268665, 361927)
FIGURE = re.compile(r"–|[-+]?[\d,]+(\.\d+)?( %| ms)?")
# What the tables call a health check, by router where that differs.
HEALTH = {"none": "none", "link": "BIRD's check link", "poll": "poller", "lanad": "lanad", ("poll", "exabgp"): "exabgp healthcheck",
          ("link", "frr"): "FRR's import check"}


class Text:
    """The lines to print, and the differences from the report."""

    def __init__(self):
        self.lines, self.wrong = [], []

    def add(self, *lines):
        self.lines += lines

    def same(self, what, found, expected):
        """Compares a row with the report's. Returns what to print beside it."""
        if found == expected:
            return "as the report"
        self.wrong.append(f"{what}: {found}, not {expected}")
        return f"NOT {expected}"

    def true(self, what, good):
        if not good:
            self.wrong.append(what)

    def table(self, head, rows):
        """Adds a table. Columns of figures are aligned to the right."""
        rows = [head, *[[str(cell) for cell in row] for row in rows]]
        widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
        figures = [all(FIGURE.fullmatch(row[at]) for row in rows[1:]) for at in range(len(head))]
        for row in rows:
            cells = [cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(row, widths, figures)]
            self.lines.append("  ".join(cells).rstrip())


def path(route):
    return " ".join(map(str, route["path"]))


def bgp(text, found):
    """The tables that the report has, and what it says of ISP_Z."""
    for system, (hop, expected) in TABLES.items():
        text.add("", f"BGP table of {NAMES[system]} (AS {system}), as `show ip bgp` prints it", "")
        routes, rows = found["routes"].get(str(system), []), []
        best = {int(route["network"].split(".")[0]): route for route in routes if route["best"]}
        for number in sorted(best.keys() | expected.keys()):
            route = best.get(number, {"next": "–", "path": ["none"]})
            own = number == system
            same = text.same(f"AS {system}, {number}.0.0.0", (route["next"], path(route)),
                             ("0.0.0.0" if own else hop, expected.get(number, "none")))
            rows.append([f"*> {number}.0.0.0", route["next"], f"{path(route)} i".strip(), same])
        text.table(["   network", "next hop", "AS path", ""], rows)
    text.add("", f"{PREFIX} in the transit systems and both ISPs (> marks the best route)", "")
    rows = []
    for system in (1, 2, 3, 4, 5):
        routes = [route for route in found["routes"][str(system)] if route["network"] == PREFIX]
        rows += [[f"AS {system} {NAMES[system]}", "*>" if route["best"] else "*", route["next"], path(route)] for route in routes]
        text.true(f"AS {system} has one best route to {PREFIX}", sum(route["best"] for route in routes) == 1)
        if system == 1:
            text.true("AS 1 sees both routes", sorted(map(path, routes)) == ["2 4 12", "3 5 13"])
    text.table(["system", "", "next hop", "AS path"], rows)


def traces(text, found):
    for (host, target, expected), trace in zip(TRACES, found["traces"]):
        text.add("", f"{host} traceroute to {target}: ms here, with {found['latency']} ms a link in each direction, and in the report", "")
        rows = []
        for number, hop in enumerate(trace["hops"], 1):
            who, *times = expected[number - 1] if number <= len(expected) else ("none",)
            rows.append([number, hop["address"] or "*", " ".join(f"{ms:.1f}" for ms in hop["ms"]), " ".join(f"{ms:.1f}" for ms in times),
                         text.same(f"{host} to {target}, hop {number}", hop["address"], who)])
        text.true(f"{host} reaches {target} in {len(expected)} hops", len(rows) == len(expected))
        text.table(["", "hop", "here", "report", ""], rows)


def sender(text, found):
    for one in found["senders"]:
        text.add("", f"{one['host']}: {one['command']}", *[f"  {line}" for line in one["output"].splitlines()],
                 f"  answered by {', '.join(f'{site}: {number}' for site, number in one['answered'].items())}")
        text.true(f"{one['host']} is answered by the site that is near, and by no other",
                  one["answered"] == {site: one["count"] if site == one["near"] else 0 for site in SITES})


def routes(text, found):
    text.add("", f"# The service, announced by {found['router']} at both sites")
    bgp(text, found)
    traces(text, found)
    sender(text, found)


def span(values, digits=1):
    """Least, median and most."""
    if not values:
        return ["–", "–", "–"]
    return [f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values))]


def called(result):
    return HEALTH.get((result["health"], result["router"]), HEALTH[result["health"]])


def failover(text, results):
    text.add("", "# A site fails", "",
             "Times in ms: from the failure to the UPDATE that withdraws the service (min, median, max), and from the repair to the one",
             "that announces it (median). Rate: the client's requests a second. Lost: those that are not answered.", "")
    rows = []
    for result in results:
        for kind in dict.fromkeys(one["kind"] for one in result["repetitions"]):
            some = [one for one in result["repetitions"] if one["kind"] == kind]
            withdrawn = [one["withdrawn"] for one in some if one["withdrawn"] is not None]
            announced = [one["announced"] for one in some if one["announced"] is not None]
            lost = [one["sent"] - one["answered"] for one in some]
            rows.append([called(result), result["router"], f"{result['latency']} ms", str(result["rate"]), kind, f"{len(withdrawn)} of {len(some)}",
                         *span(withdrawn), span(announced)[1], *span(lost, 0)[1:], str(sum(lost))])
            text.true(f"{result['health']}, {kind}: nothing is answered twice", not sum(one["twice"] for one in some))
    text.table(["health check", "speaker", "link", "rate", "failure", "withdrawn", "min", "median", "max", "announce", "lost: median", "max",
                "total"], rows)
    text.add("", f"A block is taken off and bound again {results[0]['flaps']['times']} times in {results[0]['flaps']['times'] / 10:.0f} s: "
             "UPDATEs of the site", "")
    text.table(["health check", "speaker", "link", "withdraw", "announce"],
               [[called(result), result["router"], f"{result['latency']} ms", result["flaps"]["withdraw"], result["flaps"]["announce"]]
                for result in results if result["rate"] == results[0]["rate"]])


def steering(text, trials):
    text.add("", "# Receive packet steering", "",
             "Answers a second at full load. A device with one queue, two cores, each with a billion instructions a second", "")
    rows = []
    for who in dict.fromkeys(trial["who"] for trial in trials):
        rates = {way: [trial["answered"] / trial["seconds"] for trial in trials if (trial["who"], trial["steering"]) == (who, way)]
                 for way in ("off", "on")}
        most = {way: statistics.median(values) for way, values in rates.items()}
        rows.append([who, f"{most['off']:,.0f}", f"{most['on']:,.0f}", f"{100 * most['on'] / most['off'] - 100:+.0f} %"])
    rows.append(["the report, Linux 4.4", *[f"{value:,}" for value in STEERED], f"{100 * STEERED[1] / STEERED[0] - 100:+.0f} %"])
    text.table(["responder", "RPS off", "RPS on", "gain"], rows)


# --- The picture --------------------------------------------------------------------------------

PLACES = {1: (380, 70), 2: (190, 70), 3: (570, 70), 4: (190, 190), 5: (570, 190), 20: (65, 310), 11: (190, 310), 12: (315, 310),
          13: (490, 310), 21: (650, 310)}
BELOW = {20: "pcA 20.0.0.10", 11: "11.0.0.10", 12: "50.50.50.50", 13: "50.50.50.50", 21: "pcB 21.0.0.10"}
WIDE, TALL = 54, 20
COLOURS = {12: ("#4477aa", "#dbe7f3"), 13: ("#c7622b", "#fae6da")}


def picture(found):
    """Draws the systems and links. The colour shows which site a system's best route leads to, an arrow its next hop."""
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 420" width="760" height="420" font-family="sans-serif" '
           'font-size="11">', '<rect width="760" height="420" fill="white"/>',
           '<text x="20" y="22" font-size="13" font-weight="bold">Best routes to 50.50.50.50</text>']
    best = {int(system): route["path"] for system, routes in found["routes"].items() for route in routes
            if route["network"] == PREFIX and route["best"]}
    # A site with exabgp has no routing table.
    to = {system: (best.get(system) or [system])[-1] for system in PLACES}
    texts = []
    for site, (dark, _) in COLOURS.items():
        out.append(f'<marker id="to{site}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" orient="auto">'
                   f'<path d="M0 0L8 4L0 8z" fill="{dark}"/></marker>')
    for one, other, near, far in LINKS:
        (x, y), (to_x, to_y) = PLACES[one], PLACES[other]
        forward = best.get(one, [])[:1] == [other]
        used = forward or best.get(other, [])[:1] == [one]
        # From edge to edge of the boxes.
        across, down = to_x - x, to_y - y
        cut = min(WIDE / abs(across) if across else 1, TALL / abs(down) if down else 1)
        ends = [(x + across * cut, y + down * cut), (to_x - across * cut, to_y - down * cut)]
        for number, (at_x, at_y), sign in ((near, ends[0], 1), (far, ends[1], -1)):
            if down:
                at_x, at_y = at_x + across / down * 12 * sign + (14 + 5 * bool(across)) * (1 if across >= 0 else -1), at_y + 12 * sign + 4
            else:
                at_x, at_y = at_x + (15 if across > 0 else -15) * sign, at_y - 8
            texts.append(f'<text x="{at_x:.0f}" y="{at_y:.0f}" text-anchor="middle" fill="#555">.{number}</text>')
        if not forward:
            ends.reverse()
        site = to[one if forward else other]
        look = f'stroke="{COLOURS[site][0]}" stroke-width="2.2" marker-end="url(#to{site})"' if used else 'stroke="#999" stroke-dasharray="5 4"'
        out.append(f'<path d="M{ends[0][0]:.0f} {ends[0][1]:.0f}L{ends[1][0]:.0f} {ends[1][1]:.0f}" fill="none" {look}/>')
    out += texts
    for system, (x, y) in PLACES.items():
        dark, light = COLOURS[to[system]]
        out.append(f'<rect x="{x - WIDE}" y="{y - TALL}" width="{2 * WIDE}" height="{2 * TALL}" rx="5" fill="{light}" stroke="{dark}" '
                   f'stroke-width="{2.5 if system in COLOURS else 1.2}"/>')
        out.append(f'<text x="{x}" y="{y - 3}" text-anchor="middle" font-weight="bold">AS {system} {NAMES[system]}</text>')
        out.append(f'<text x="{x}" y="{y + 12}" text-anchor="middle" fill="#333">{prefix(system)}</text>')
        if system in BELOW:
            out.append(f'<path d="M{x} {y + TALL}v26" stroke="#999"/>')
            out.append(f'<text x="{x}" y="{y + 59}" text-anchor="middle">{BELOW[system]}</text>')
    out.append(f'<text x="20" y="405" fill="#555">Links have addresses of {address(0)}/24, of which the last byte is shown. Dashed: a link '
               'that no best route uses.</text>')
    return "\n".join([*out, "</svg>", ""])
