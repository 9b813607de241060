# SPDX-License-Identifier: GPL-2.0
"""Reads the specification of the netlink family, with as much YAML as it uses: Python in a test kernel need
not have more. Run as a program, compares with what PyYAML says, where that is there."""

import os
import re
import sys

PATH = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/Documentation/netlink/specs/lana.yaml"


def load(path=PATH):
    """The whole file."""
    with open(path) as file:
        lines = [(len(line) - len(line.lstrip()), line.strip()) for line in file]
    lines = [line for line in lines if line[1] and not re.match(r"#|---$|\.\.\.$", line[1])]
    return block(lines, {})


def block(lines, anchors):
    """The value that lines of one indentation, and what is indented more below them, stand for."""
    indent = lines[0][0]
    starts = [i for i, (depth, _) in enumerate(lines) if depth == indent]
    if lines[0][1].startswith("-"):
        found = []
        for start, stop in zip(starts, starts[1:] + [len(lines)]):
            rest = lines[start][1][1:].strip()
            below = ([(indent + 2, rest)] if rest else []) + lines[start + 1:stop]
            found.append(block(below, anchors) if not rest or ": " in rest else scalar(rest, anchors))
        return found
    found = {}
    for start, stop in zip(starts, starts[1:] + [len(lines)]):
        key, _, rest = lines[start][1].partition(":")
        rest, below = rest.strip(), lines[start + 1:stop]
        anchor = re.match(r"&(\S+)\s*", rest)
        rest = rest[anchor.end():] if anchor else rest
        if rest.startswith(">"):
            found[key] = " ".join(text for _, text in below)
        elif not rest:
            found[key] = block(below, anchors) if below else None
        else:
            found[key] = scalar(" ".join([rest, *(text for _, text in below)]), anchors)
        if anchor:
            anchors[anchor[1]] = found[key]
    return found


def scalar(text, anchors):
    if text.startswith("*"):
        return anchors[text[1:]]
    if text.startswith("["):
        return [scalar(part.strip(), anchors) for part in text[1:-1].split(",") if part.strip()]
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?\d+", text) else text.strip("\"'")


class Family:
    """The operations, and the attributes of each set by their names; both with their numbers."""

    def __init__(self, path=PATH):
        whole = load(path)
        self.consts = {d["name"]: d["value"] for d in whole["definitions"] if d["type"] == "const"}
        self.enums = {d["name"]: d["entries"] for d in whole["definitions"] if d["type"] == "enum"}
        self.sets = {}
        for one in whole["attribute-sets"]:
            parent = self.sets.get(one.get("subset-of"))
            found = {}
            for position, given in enumerate(one["attributes"], 1):
                attribute = dict(parent[given["name"]] if parent else {}, **given)
                attribute.setdefault("number", position)
                found[given["name"]] = attribute
            self.sets[one["name"]] = found
        self.operations = {}
        for position, operation in enumerate(whole["operations"]["list"], 1):
            self.operations[operation["name"]] = dict(operation, number=position)

    def number(self, limit):
        """A limit of a check, which may be the name of a constant."""
        return self.consts.get(limit, limit)


if __name__ == "__main__":
    try:
        import yaml
    except ImportError:
        sys.exit("no yaml")
    with open(PATH) as text:
        sys.exit(0 if load() == yaml.safe_load(text) else "spec.py reads it otherwise than PyYAML")
