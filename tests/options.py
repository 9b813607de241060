# SPDX-License-Identifier: GPL-2.0
"""What the types say of their options is what their blocks take."""

import json
import re
import subprocess

from lana import check, end


def fbctl(*args):
    return subprocess.run(["fbctl", *args], capture_output=True, text=True, check=False)


for kind in json.loads(fbctl("-j", "types").stdout):
    if "mode" not in kind or kind.keys() & {"vlink", "socket"}:
        continue
    name, bad = kind["name"], []
    fbctl("add", "declared", name)
    for option in kind.get("option", []):
        key = re.sub(r"\.N\b", ".0", option["key"])
        good = [option["default"], *option.get("word", [])]
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
