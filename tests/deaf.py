# SPDX-License-Identifier: GPL-2.0
"""deaf.py TIMES: somebody wants the events and never reads them, until there is no room for more; each
change is made all the same. Then who reads sees that some are missing."""

import errno
import sys

from lana import C, GENL_ID_CTRL, attr, attrs, check, end
from rig import Lana, number

TIMES = int(sys.argv[1])
lana, listener = Lana(), Lana()
answer = lana.request(3, attr(2, "lana"), family=GENL_ID_CTRL)
group = dict(attrs(next(attrs(dict(attrs(answer.messages[0][20:]))[7]))[1]))
listener.sock.setsockopt(1, 33, 4096)  # SO_RCVBUFFORCE
listener.sock.setsockopt(270, 1, number(group[2]))  # NETLINK_ADD_MEMBERSHIP
errors = []
for _ in range(TIMES):
    for change in (lana.add("x", "dummy"), lana.remove("x")):
        if change.error:
            errors.append(change)
check("changes are made although a listener has no room for their events", not errors, *errors[:3])


def hear():
    """Reads what is there: the numbers of the events, and whether some were lost."""
    seen, lost = [], False
    while True:
        try:
            event = dict(attrs(listener.sock.recv(65536)[20:]))
            seen.append(number(event[C["LANA_A_EVENT_SEQ"]]))
        except TimeoutError:
            return seen, lost
        except OSError as error:
            lost = lost or error.errno == errno.ENOBUFS


listener.sock.settimeout(1)
seen, lost = hear()
check("who does not read is told that events were lost", lost and seen, seen)
lana.add("x", "dummy")
lana.remove("x")
more, lost = hear()
check("then it hears again", len(more) == 2 and not lost, more)
check("and the gap in the numbers shows how many it has missed",
      seen == list(range(seen[0], seen[0] + len(seen))) and more[0] == seen[0] + 2 * TIMES, seen, more)
end()
