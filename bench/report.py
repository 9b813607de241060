# SPDX-License-Identifier: GPL-2.0
"""report.py [--save]: from what the sections measured (LANA_OUT/*.json) the tables, in Markdown, and the plots.
Each figure that LANA is to reach stands beside what it is, and beside what the last release had
(bench/baseline.json). Ratios are those of samples of the same round. --save makes all this what the next
ones are compared with, and puts it into Documentation/performance."""

import json
import os
import shutil
import statistics
import sys

import plot
from sections import NAMES

BASELINE = os.path.dirname(os.path.abspath(__file__)) + "/baseline.json"
PAGES = os.path.dirname(os.path.dirname(BASELINE)) + "/Documentation/performance"
LANA = "LANA"
BOOTS = 0.1


class Value:
    """A median, and the quartiles around it; and, where it is known, what the fastest samples say, which are
    those that nothing else on the machine has disturbed."""

    def __init__(self, samples, fastest=None):
        self.median, self.fastest = statistics.median(samples), fastest
        if len(samples) > 1:
            self.low, _, self.high = statistics.quantiles(samples, n=4, method="inclusive")
        else:
            self.low = self.high = self.median

    def text(self, digits=2):
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


class Results:
    """All sections of a run."""

    def __init__(self, folder):
        self.sections = {}
        for name in NAMES:
            if os.path.exists(f"{folder}/{name}.json"):
                with open(f"{folder}/{name}.json") as file:
                    self.sections[name] = json.load(file)

    def rows(self, section, **wanted):
        """The results with these properties."""
        return [row for row in self.sections.get(section, {}).get("results", [])
                if all(row[key] == value for key, value in wanted.items())]

    def samples(self, section, **wanted):
        """Those of the only result with these properties, or None."""
        rows = self.rows(section, **wanted)
        return rows[0]["samples"] if len(rows) == 1 else None

    def ratio(self, section, one, other):
        """How many times the other the one is, round by round."""
        return self.combine(section, lambda a, b: a / b, one, other)

    def combine(self, section, formula, *wanted):
        all_samples = [self.samples(section, **properties) for properties in wanted]
        if not all(all_samples):
            return None
        return Value([formula(*samples) for samples in zip(*all_samples)], formula(*map(max, all_samples)))

    def cost_ratio(self, section, one, other, load):
        """How many times the time of the one the other takes, when that of the load alone is taken off both."""
        return self.combine(section, lambda a, b, load: (1 / b - 1 / load) / (1 / a - 1 / load), one, other, load)

    def value(self, section, name):
        """A value that a section has worked out itself: samples."""
        samples = self.sections.get(section, {}).get("values", {}).get(name)
        return Value(samples) if samples else None


# --- What is to be reached --------------------------------------------------------------------

class Figure:
    """`goal` is the least that is good enough, or with `most` the most. `limit` is what it would be for who does
    the least that can be done. With the last release only ratios are compared: that is the value itself, or
    `ratio` where the value is a time."""

    def __init__(self, section, what, value, goal, most=False, unit="", strictly=False, ratio=None, limit=None):
        self.section, self.what, self.value, self.goal, self.limit = section, what, value, goal, limit
        self.most, self.unit, self.strictly = most, unit, strictly
        self.ratio = ratio if unit else value

    def met(self):
        median = self.value.median
        if self.strictly:
            return median < self.goal if self.most else median > self.goal
        return median <= self.goal if self.most else median >= self.goal

    def bound(self):
        words = {(False, False): "at least", (False, True): "above", (True, False): "at most", (True, True): "under"}
        return f"{words[self.most, self.strictly]} {self.goal:g}{self.unit}"

    def worse(self, was):
        """Worse than it was, by more than the noise of both, the distances of their quartiles, and than what one boot
        differs from another: BOOTS of the value."""
        step = self.ratio.median - was["median"] if self.most else was["median"] - self.ratio.median
        return step > self.ratio.high - self.ratio.low + was["high"] - was["low"] + BOOTS * abs(was["median"])


def drop_figures(results):
    one, least = {"name": "LANA, 1 block"}, {"name": "the least, counted as by LANA, freed"}
    other, own = "Linux, (a) foreign MAC", "Linux, (b) own MAC, no address"
    for load, peer, goal in [("ingress", other, 1.3), ("ingress", own, 5.5), ("wire", other, 1.05), ("wire", own, 1.4),
                             ("ingress", "tc drop", 2.2)]:
        value, limit = (results.ratio("drop", {"load": load, **who}, {"load": load, "name": peer})
                        for who in (one, least))
        yield Figure("drop", f"receive and drop, {load}, 1 block / {peer}", value, goal, limit=limit)
    owned = {"load": "ingress, owned"}
    value, limit = (results.ratio("drop", {**owned, **who}, {**owned, "name": "XDP generic drop"})
                    for who in (one, least))
    yield Figure("drop", "receive and drop, ingress, owned, 1 block / XDP generic drop", value, 1, strictly=True,
                 limit=limit)


def chain_figures(results):
    def at(load, blocks):
        return {"load": load, "name": LANA, "x": blocks}
    least = {"name": "the least, counted, called, freed"}
    for blocks in 10, 20, 50:
        ends = at("ingress", 1), at("ingress", blocks)
        value, limit = (results.combine("chain", lambda a, b, n=blocks: (1e9 / b - 1e9 / a) / (n - 1),
                                        *(end | who for end in ends)) for who in ({}, least))
        # In packets that Linux drops in that time.
        ratio = results.combine("chain", lambda a, b, linux, n=blocks: (linux / b - linux / a) / (n - 1), *ends,
                                {"load": "ingress", "x": 0})
        yield Figure("chain", f"each further block, chain of {blocks}, ingress", value, 2, most=True, unit=" ns",
                     ratio=ratio, limit=limit)
    for name, goal in (LANA, 2), ("LANA, batched", 0.7):
        ends = at("bursts", 10) | {"name": name}, at("bursts", 50) | {"name": name}
        value, limit = (results.combine("chain", lambda a, b: (1e9 / b - 1e9 / a) / 40, *(end | who for end in ends))
                        for who in ({}, least))
        ratio = results.combine("chain", lambda a, b, linux: (linux / b - linux / a) / 40, *ends,
                                {"load": "bursts", "x": 0})
        yield Figure("chain", f"each further block, chains of 10 to 50, bursts{name.removeprefix(LANA)}", value, goal,
                     most=True, unit=" ns", ratio=ratio, limit=limit if name == LANA else None)
    for blocks, goal in (10, 0.95), (50, 0.75):
        value, limit = (results.ratio("chain", at("wire", blocks) | who, at("wire", 1) | who) for who in ({}, least))
        yield Figure("chain", f"chain of {blocks} / chain of 1, wire", value, goal, limit=limit)


def frame_figures(results):
    def figures(load, one, goals, least=None):
        """Those beside each peer; beside who makes skbs, what the load itself takes is taken off, as that is no part of
        either."""
        for peer, goal in goals:
            names = one, peer, "the load alone", least
            ours, other, alone, limit = ({"load": load, "name": name} for name in names)
            what = f"frames, {load}, {one} / {peer}"
            if goal > 1:
                value, bound = (results.cost_ratio("frames", who, other, alone) for who in (ours, limit))
                yield Figure("frames", what + ", the load taken off", value, goal, limit=bound)
            else:
                value, bound = (results.ratio("frames", who, other) for who in (ours, limit))
                yield Figure("frames", what, value, goal, limit=bound)
    yield from figures("drop", "LANA, 1 block", [("receive handler, freed at once", 2.5), ("XDP native drop", 1),
                                                 ("XDP native drop, as xdp-bench", 1)],
                       least="the least, counted three times")
    value, limit = (results.combine("frames", lambda few, many: (1e9 / many - 1e9 / few) / 40,
                                    *[{"load": "chain", "name": who, "x": blocks} for blocks in (10, 50)])
                    for who in (LANA, "the least"))
    yield Figure("frames", "frames, each further block, chains of 10 to 50", value, 2, most=True, unit=" ns", limit=limit)
    yield from figures("forward", "LANA, eth - dummy - eth", [
        ("XDP native redirect", 1), ("XDP native redirect, as xdp-bench", 1),
        ("XDP native redirect-map, as xdp-bench", 1)], least="the least, counted three times")
    yield from figures("echo", "LANA, icmp-echo", [
        ("kernel ICMP", 5), ("XDP program", 1), ("XDP program, checksums verified", 1)],
        least="XDP native, sent back as it is")


def forward_figures(results):
    for peer, goal in [("bridge", 1.1), ("tc mirred redirect", 1.2), ("tc-bpf redirect", None), ("nft fwd", None),
                       ("Open vSwitch", None)]:
        value, limit = (results.ratio("forward", {"name": name}, {"name": peer})
                        for name in ("LANA, eth - dummy - eth", "the least, sent on at once"))
        yield Figure("forward", f"forwarding, wire, LANA / {peer}", value, goal or 1, strictly=not goal, limit=limit)


def echo_figures(results):
    single, batched = "LANA, icmp-echo", "LANA, batched, icmp-echo"
    for load, name in ("bursts", single), ("bursts", batched), ("wire", single):
        lana, linux, least, alone = ({"load": load, "name": who} for who in (
            name, "kernel ICMP", "the least, sent back as it is", "the load alone"))
        about = f"{name.removeprefix('LANA, ')} / kernel ICMP, {load}"
        yield Figure("echo", about, results.ratio("echo", lana, linux), 2.5, limit=results.ratio("echo", least, linux))
        yield Figure("echo", f"{about}, the load taken off", results.cost_ratio("echo", lana, linux, alone), 2.5)


def socket_figures(results):
    def small(name):
        return {"name": name, "x": 64}
    value = results.ratio("sockets", small("PF_LANA, recvfrom"), small("PF_PACKET, recvfrom"))
    limit = results.combine("sockets", lambda call, load, packet: (1 / packet) / (1 / call + 1 / load),
                            small("a system call alone"), small("the load alone"), small("PF_PACKET, recvfrom"))
    yield Figure("sockets", "PF_LANA / PF_PACKET, recvfrom, 64 bytes", value, 1.2, limit=limit)
    for name in "ring", "recvmmsg":
        value = results.ratio("sockets", small(f"PF_LANA, {name}"), small("PF_PACKET, TPACKET_V3"))
        yield Figure("sockets", f"PF_LANA, {name} / TPACKET_V3, 64 bytes (one of the two)", value, 1, strictly=True)


def instance_figures(results):
    rows = results.rows("instances", load="ingress")
    if len(rows) > 1:
        most = max(row["x"] for row in rows)
        def at(number):
            return {"load": "ingress", "x": number}
        value = results.combine("instances", lambda few, many: few / many, at(10), at(most))
        yield Figure("instances", f"cost among {most:,} instances / among 10, ingress, 10 blocks passed", value,
                     1.05, most=True)


def reconfig_figures(results):
    least = results.value("reconfig", "nothing, microseconds, under load")
    for kind in "rebind", "replace":
        lost = results.value("reconfig", f"{kind}, packets lost")
        yield Figure("reconfig", f"{kind} at full load: packets lost", lost, 0, most=True)
        times = results.value("reconfig", f"{kind}, microseconds, under load")
        yield Figure("reconfig", f"{kind} at full load: time of each", times, 100, most=True, unit=" us", strictly=True,
                     limit=least)
    yield Figure("reconfig", "apply of 10,000 blocks", results.value("reconfig", "apply of 10000 blocks, seconds"), 1,
                 most=True, unit=" s", strictly=True)


def trafgen_figures(results):
    ours = {"load": "wire", "name": "trafgen", "x": 64}
    for peer, goal in ("netsniff-ng's trafgen", 1.2), ("mausezahn", 1.2), ("pktgen, clone_skb 0", 0.9):
        yield Figure("trafgen", f"packets generated, 64 bytes, trafgen / {peer}",
                     results.ratio("trafgen", ours, ours | {"name": peer}), goal)


def watch_figures(results):
    for load in "ingress", "wire":
        nobody, after, some = ({"load": load, "name": name} for name in (
            "LANA, 5 blocks", "after a trace", "a trace of one in 1,000"))
        yield Figure("watch", f"after a trace / before, {load}", results.ratio("watch", after, nobody), 0.97)
        value = results.combine("watch", lambda a, b: 1e9 / b - 1e9 / a, nobody, some)
        yield Figure("watch", f"a trace of one in 1,000, {load}: each packet", value, 25, most=True, unit=" ns")


# Blocks and what Linux has in their place: a section, its load, ours, and the peers.
BLOCKS = [
    *(("classify", load, "LANA, classify", ["nft, set", "tc flower", "Open vSwitch"])
      for load in ("prefixes of one length", "prefixes of 9 lengths", "ports")),
    ("nat", "sessions", "LANA, nat", ["nft snat", "nft snat, flowtable"]),
    ("nat", "sessions", "LANA, route and nat", ["nft snat", "nft snat, flowtable"]),
    ("nat", "without state", "LANA, nat, map", ["nft netdev, saddr set, fwd", "tc nat, mirred redirect"]),
    ("switch", "two ports", "LANA, switch", ["bridge"]),
    ("shape", "below the rate", "LANA, shape", ["tc tbf", "tc htb"]),
    ("shape", "below the rate", "LANA, shape, police", ["tc police"]),
    ("shape", "all wait", "LANA, shape", ["tc tbf", "tc htb"]),
    ("delay", "all wait 1 ms", "LANA, delay", ["tc netem"]),
]


def block_figures(results):
    for section, load, ours, peers in BLOCKS:
        for x in dict.fromkeys(row["x"] for row in results.rows(section, load=load)):
            for peer in peers:
                value = results.ratio(section, *({"load": load, "name": name, "x": x} for name in (ours, peer)))
                about = f"{section}, {load}{'' if x is None else f', {x:,}'}, {ours} / {peer}"
                if value:
                    yield Figure(section, about, value, 1, strictly=True)


def flow_figures(results):
    """Above a block that does nothing, and beside what counts for each flow in Linux."""
    for load in "bursts", "frames":
        for flows in dict.fromkeys(row["x"] for row in results.rows("netflow", load=load)):
            ours, dummy, peer = ({"load": load, "name": name, "x": flows} for name in (
                "LANA, netflow", "LANA, dummy", "nft, a counter for each flow"))
            cost = results.combine("netflow", lambda a, b: 1e9 / a - 1e9 / b, ours, dummy)
            yield Figure("netflow", f"netflow above dummy, {load}, {flows:,} flows", cost, 60, most=True, unit=" ns")
            if load == "bursts":
                yield Figure("netflow", f"netflow, {load}, {flows:,} flows, LANA / nft, a counter for each flow",
                             results.ratio("netflow", ours, peer), 1, strictly=True)


def core_figures(results):
    """How much more two cores do than one, beside a block that does nothing; and beside what counts for each flow in Linux."""
    for flows in dict.fromkeys(row["x"] for row in results.rows("cores")):
        def at(cores, name, number=flows):
            return {"load": cores, "name": name, "x": number}
        ends = [at(cores, name) for name in ("LANA, netflow", "LANA, dummy") for cores in ("two cores", "one core")]
        value = results.combine("cores", lambda two, one, dummy_two, dummy_one: two / one / (dummy_two / dummy_one), *ends)
        yield Figure("cores", f"netflow, two cores / one, by that of dummy, {flows:,} flows", value, 0.95)
        for peer in "nft, a counter for each flow", "flowd", "softflowd":
            value = results.ratio("cores", at("two cores", "LANA, netflow"), at("two cores", peer))
            if value:
                yield Figure("cores", f"netflow, two cores, {flows:,} flows, LANA / {peer}", value, 1, strictly=True)


FIGURES = [drop_figures, frame_figures, chain_figures, forward_figures, echo_figures, block_figures, flow_figures, core_figures,
           socket_figures, instance_figures, reconfig_figures, trafgen_figures, watch_figures]


# --- Tables ------------------------------------------------------------------------------------

def table(head, rows, words=1):
    """In Markdown, with columns that are also columns for the eye; `words` of them are no numbers."""
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) if n < words else cell.rjust(width)
                               for n, (cell, width) in enumerate(zip(row, widths))) + " |" for row in rows]
    rule = ["-" * (width + 2) if n < words else "-" * (width + 1) + ":" for n, width in enumerate(widths)]
    return "\n".join([lines[0], "|" + "|".join(rule) + "|", *lines[1:]]) + "\n"


def figure_table(figures, baseline):
    rows, regressions = [], []
    for figure in figures:
        was = baseline.get(figure.what)
        before = f"{was['median']:.2f}" if was and not figure.unit else "-"
        if figure.value is None:
            rows.append([figure.what, "-", "-", figure.bound(), "not measured", "-", before])
            continue
        verdict = "met" if figure.met() else "**not met**"
        if was and figure.ratio and figure.worse(was):
            beside = " (beside Linux's own drop)" if figure.unit else ""
            regressions.append(f"{figure.what}{beside}: {figure.ratio.text()}, was {was['median']:.2f} "
                               f"({was['low']:.2f}–{was['high']:.2f})")
            verdict += ", worse"
        fastest = "-" if figure.value.fastest is None else f"{figure.value.fastest:.2f}"
        rows.append([figure.what, figure.value.text() + figure.unit, fastest, figure.bound(), verdict,
                     "-" if figure.limit is None else figure.limit.text(), before])
    head = ["figure", "median (quartiles)", "fastest", "to be", "", "who does the least", "last release"]
    return table(head, rows), regressions


def contender_table(section):
    rows = []
    for row in section["results"]:
        if row["unit"] != "packets/s":
            continue
        value = Value(row["samples"])
        name = row["name"] + (f", {row['x']}" if row["x"] is not None else "")
        lost = f"{row.get('lost', 0) / row['sent']:.2%}" if row.get("sent") else "-"
        rows.append([row["load"], name, row["size"] + 4, f"{value.median / 1e6:.3f}",
                     f"{value.low / 1e6:.3f}–{value.high / 1e6:.3f}", f"{max(row['samples']) / 1e6:.3f}",
                     f"{1e9 / value.median:.1f}", lost])
    return table(["load", "who", "frame", "Mpps", "quartiles", "fastest", "ns", "lost"], rows, 2)


def value_table(section):
    rows = []
    for name, samples in section["values"].items():
        value = Value(samples)
        digits = 3 if value.median < 10 else 0
        spread = f"{value.low:.{digits}f}–{value.high:.{digits}f}"
        rows.append([name, f"{value.median:.{digits}f}", spread, len(samples)])
    return table(["what", "median", "quartiles", "samples"], rows)


def missing_table(section):
    groups = {}
    for row in section["missing"]:
        groups.setdefault((row["load"], row["name"], row["why"]), []).append(row["x"])
    rows = []
    for (load, name, why), places in groups.items():
        at = ", ".join(str(x) for x in places if x is not None)
        rows.append([name + (f", {at}" if at else ""), load, why])
    return table(["missing", "load", "why"], rows, 3)


# --- Plots -------------------------------------------------------------------------------------

def point(row):
    value = Value(row["samples"])
    return value.median / 1e6, value.low / 1e6, value.high / 1e6


def bars(results, folder, section, load, title, without=None):
    rows = [row for row in results.rows(section, load=load) if row["name"] != without]
    if rows:
        plot.bars(f"{folder}/{section}-{load.replace(', ', '-')}.svg", title, "million packets a second",
                  [(row["name"], *point(row)) for row in rows],
                  [row["name"] for row in rows if row["name"].startswith(LANA)])


def chain_plot(results, folder, load, section="chain", file=None, title=""):
    rows = [row for row in results.rows(section, load=load) if row["x"]]
    names = list(dict.fromkeys(row["name"] for row in rows))
    series = [(name, [(row["x"], *point(row)) for row in rows if row["name"] == name]) for name in names]
    for row in results.rows(section, load=load, x=0):
        series.append((row["name"], [(x, *point(row)) for x in (1, 50)]))
    plot.lines(f"{folder}/{file or 'chain-' + load}.svg", f"Rate against chain length, 64 bytes, {title}",
               "steps in the chain", "million packets a second", series, logx=True, xticks=[1, 2, 5, 10, 20, 50])


def of_sizes(results, folder, file, title, section, names):
    rows = results.rows(section, load="wire")
    series = [(name, [(row["x"], *point(row)) for row in rows if row["name"] == name]) for name in names]
    sizes = sorted({row["x"] for row in rows})
    plot.lines(f"{folder}/{file}.svg", title, "bytes of a frame", "million packets a second", series, logx=True,
               xticks=sizes)


def plots(results, folder):
    for load in "ingress", "ingress, owned", "wire":
        bars(results, folder, "drop", load, f"Receive and drop, 64 bytes, {load}")
    for load in "ingress", "bursts", "wire":
        chain_plot(results, folder, load, title=f"{load} (thesis, figure 6.7)")
    bars(results, folder, "forward", "wire", "Forward from one device to another, 64 bytes, wire")
    for load in "bursts", "wire":
        bars(results, folder, "echo", load, f"Echo requests answered, 64 bytes, {load}")
    for load, title in [("drop", "Receive and drop"), ("forward", "Forward to another device"),
                        ("echo", "Echo requests answered")]:
        bars(results, folder, "frames", load, f"{title}, 64 bytes, frames (native XDP)", without="the load alone")
    chain_plot(results, folder, "chain", "frames", "frames-chain", "frames (native XDP)")
    names = list(dict.fromkeys(row["name"] for row in results.rows("sizes")))
    few = [name for name in names if name.startswith("Linux") or int(name.split()[1]) <= 10]
    many = [name for name in names if name.startswith("Linux") or int(name.split()[1]) >= 10]
    of_sizes(results, folder, "sizes-1-10", "Linux and LANA, 1 to 10 blocks, wire (thesis, figure 6.2)", "sizes", few)
    of_sizes(results, folder, "sizes-10-50", "Linux and LANA, 10 to 50 blocks, wire (thesis, figure 6.3)", "sizes",
             many)
    names = list(dict.fromkeys(row["name"] for row in results.rows("sockets", load="wire")))
    of_sizes(results, folder, "sockets", "From the wire to a program (thesis, figure 6.4)", "sockets", names)
    names = list(dict.fromkeys(row["name"] for row in results.rows("trafgen", load="wire")))
    of_sizes(results, folder, "trafgen", "Packets generated (thesis, figure D.2)", "trafgen", names)
    plot.lines(f"{folder}/instances.svg", "Rate through 10 blocks against instances in the graph, 64 bytes, ingress",
               "instances", "million packets a second",
               [(LANA, [(row["x"], *point(row)) for row in results.rows("instances")])], logx=True)


# --- All together ------------------------------------------------------------------------------

def about(results):
    """What it was measured in."""
    if not results.sections:
        return
    whole = next(iter(results.sections.values()))
    kernel = whole["kernel"]
    yield f"Linux {kernel['release']}, User Mode Linux, {kernel['cpus']}; command line: `{kernel['command line']}`."
    told = "; ".join(f"{name}: {state}" for name, state in kernel["mitigations"].items())
    yield f"Mitigations: {told or 'this architecture has none (no retpolines)'}. " \
        f"BPF is {'compiled (JIT)' if kernel['bpf jit'] else 'interpreted: this architecture has no JIT'}."
    rounds = min((len(row["samples"]) for part in results.sections.values() for row in part["results"]), default=0)
    yield f"Medians of {rounds} alternating samples each, quartiles in brackets; " \
        f"seconds are those of the {whole['clock']}, for the packet generator those that it had the processor."


def main(folder, save):
    results = Results(folder)
    with open(BASELINE) if os.path.exists(BASELINE) else open(os.devnull) as file:
        baseline = json.loads(file.read() or "{}")
    figures = [figure for section in FIGURES for figure in section(results)]
    figures = [figure for figure in figures if figure.section in results.sections]
    text = ["\n".join(about(results)) + "\n"]
    text_of_figures, regressions = figure_table(figures, baseline)
    text += ["## Figures\n", text_of_figures]
    if regressions:
        text += ["Worse than the last release, by more than the noise of both:\n",
                 "".join(f"- {line}\n" for line in regressions)]
    elif baseline:
        text.append("Nothing is worse than in the last release by more than its noise.\n")
    for name, section in results.sections.items():
        text.append(f"## {name}\n")
        text += [make(section) for part, make in (("results", contender_table), ("values", value_table),
                                                  ("missing", missing_table)) if section[part]]
    plots(results, folder)
    pictures = [name for name in sorted(os.listdir(folder)) if name.endswith(".svg")]
    with open(folder + "/report.md", "w") as file:
        file.write("# One run of `make bench`\n\n" + "\n".join(text))
        file.write("\n## Plots\n\n" + "".join(f"![{name[:-4]}]({name})\n" for name in pictures))
    with open(folder + "/results.json", "w") as file:
        json.dump({"figures": {f.what: vars(f.value) for f in figures if f.value}, **results.sections}, file, indent=1)
    print("\n".join(text))
    if save:
        os.makedirs(PAGES, exist_ok=True)
        for name in ["report.md", *pictures]:
            shutil.copy(f"{folder}/{name}", PAGES)
        with open(BASELINE, "w") as file:
            now = {f.what: {key: round(value, 4) for key, value in vars(f.ratio).items() if value is not None}
                   for f in figures if f.ratio}
            json.dump(now, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(BASELINE))
    main(os.environ.get("LANA_OUT", os.path.dirname(os.path.dirname(BASELINE)) + "/build/bench"), "--save" in sys.argv)
