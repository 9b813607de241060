# SPDX-License-Identifier: GPL-2.0
"""What the types say of their options is what their blocks take, and what Documentation/blocks.md says of them."""

import json
import re
import subprocess

from lana import TOP, check, end


def fbctl(*args):
    return subprocess.run(["fbctl", *args], capture_output=True, text=True, check=False)


def documented():
    """The options in the tables of blocks.md, by type: of each the values and the default."""
    with open(f"{TOP}/Documentation/blocks.md", encoding="utf-8") as file:
        text = file.read()
    types = {}
    for section in re.split("(?m)^## ", text)[1:]:
        options = types[section.split("\n", 1)[0]] = {}
        head = None
        for line in section.split("\n"):
            cells = [cell.strip() for cell in line.split("|")[1:-1]] if line.startswith("|") else None
            head = cells and (head or cells)
            if head and head[:3] == ["option", "values", "default"] and cells is not head and not cells[0].startswith("---"):
                key = cells[0].strip("`")
                # One that stands there twice is none of the block's.
                options[f"{key} again" if key in options else key] = cells[1:3]
    return types


def cells(option):
    """What the table of options says of one: its values, and what a new block has."""
    least, most = option.get("lowest"), option.get("highest")
    if least is not None:
        values = f"{least} or more" if most == 2 ** 64 - 1 else f"{least} to {most}"
    else:
        values = option.get("form") or ", ".join(f"`{word}`" for word in option["word"])
    return [values, f"`{option['default']}`" if option["default"] else "none"]


pages = documented()
for kind in json.loads(fbctl("-j", "types").stdout):
    if "mode" not in kind:
        continue
    name, bad = kind["name"], []
    said = pages.get(name)
    for option in kind.get("option", []):
        row = cells(option)
        if said is not None and said.pop(option["key"], None) != row:
            bad.append(f"| `{option['key']}` | {' | '.join(row)} | is not in its table")
    bad += [f"there is no option {key}" for key in said] if said is not None else [f"there is no section {name}"]
    check(f"Documentation/blocks.md has the options of {name} as it declares them", not bad, *bad)

for kind in json.loads(fbctl("-j", "types").stdout):
    if "mode" not in kind or kind.keys() & {"vlink", "socket"}:
        continue
    name, bad = kind["name"], []
    fbctl("add", "declared", name)
    for option in kind.get("option", []):
        key = re.sub(r"\.N\b", ".0", option["key"])
        good = [option["default"], *option.get("word", [])]
        # What its form shows is taken, too.
        good += re.findall(r"such as (\S+?)(?:,? |$)", option.get("form", ""))
        wrong = ["no such word"] if "word" in option else []
        if "lowest" in option:
            good += [str(option["lowest"]), str(option["highest"])]
            wrong += [str(option["lowest"] - 1), str(option["highest"] + 1)]
        for value in good:
            done = fbctl("set", "declared", f"{key}={value}")
            # The largest table may not fit in the memory of this machine.
            if done.returncode != 0 and "Cannot allocate memory" not in done.stderr:
                bad.append(f"{key}={value} is refused")
        for value in wrong:
            if fbctl("set", "declared", f"{key}={value}").returncode != 2:
                bad.append(f"{key}={value} is taken")
        # A new block is like one with the default, which shows as a setting only where it is another.
        fbctl("set", "declared", f"{key}={option['default']}")
        shown = json.loads(fbctl("-j", "show", "declared").stdout)[0].get("option", [])
        if any(o["key"] == key and o.get("config") and o["value"] != option["default"] for o in shown):
            bad.append(f"{key}={option['default']} is no default")
        fbctl("set", "declared", f"{key}=")
    check(f"the options of {name} are as it declares them", not bad, *bad)
    fbctl("rm", "declared")
end()
