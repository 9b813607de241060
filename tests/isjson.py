# SPDX-License-Identifier: GPL-2.0
"""isjson.py COMMAND...: each command line prints JSON."""

import json
import subprocess
import sys

from lana import check, end

for command in sys.argv[1:]:
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    try:
        good = done.returncode == 0 and json.loads(done.stdout) is not None
    except ValueError:
        good = False
    check(command + " prints JSON", good, done.stdout, done.stderr)
end()
