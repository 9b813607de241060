# SPDX-License-Identifier: GPL-2.0
"""events.py FILE: compares what `fbctl monitor -j` wrote with what is expected, a line an event on
standard input: the kind and what it must say."""

import json
import sys

from lana import check, end

with open(sys.argv[1]) as file:
    events = [json.loads(line) for line in file if line.strip()]
expected = [line.split() for line in sys.stdin if line.strip()]
for number, (kind, *pairs) in enumerate(expected):
    event = events[number] if number < len(events) else {}
    want = dict(pair.split("=") for pair in pairs)
    good = event.get("kind") == kind and all(str(event.get(k)) == v for k, v in want.items())
    check("an event tells: " + " ".join([kind, *pairs]), good, event)
check("there are no other events", len(events) == len(expected), *events[len(expected):])
numbers = [event.get("seq", 0) for event in events]
check("the events are numbered without a gap",
      numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else False, numbers)
end()
