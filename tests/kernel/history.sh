# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The log of changes, and taking them back.

. "${0%/*}/../lib.sh"

load
ip link add lan0 type veth peer name far0
ip link set lan0 up
devices=(lan0)
said() { "$@" 2>&1 || :; }
export LANA_LOG=$PWD/log
check "without a log, nothing is in it" is "$(fbctl log)" ""
check "nor can anything be taken back" contains "$(said fbctl undo)" "has 0 changes that can be taken back"
check "a log that is not wanted is not there" contains "$(LANA_LOG='' said fbctl log)" "there is no log"

# --- Who, when, what ---

before=$(fbctl save)
SUDO_USER=ann fbctl add c counter
vlink ethernet hook lan0 unclaimed=stack
printf 'add t tee\nbind t lan0\nbind c t\n' | fbctl -b -
time='[0-9]{4}-[0-9-]+T[0-9:.]+Z'
check "the log says who has changed what, and when" matches "$(fbctl log)" "^$time ann: fbctl add c counter
    \+ block c counter
$time root: vlink ethernet hook lan0 unclaimed=stack
    \+ device lan0 ethernet
    ~ option lan0 unclaimed=stack
$time root: fbctl -b -
    \+ block t tee
    \+ binding t lan0
    \+ binding c t$"
export LANA_LOG=$PWD/set
fbctl set lan0 unclaimed=
fbctl set lan0 unclaimed=stack
check "of an option that is set it has what that was" matches "$(fbctl log -N 2)" "~ option lan0 unclaimed: stack -> drop
.*: fbctl set lan0 unclaimed=stack
    ~ option lan0 unclaimed: drop -> stack$"
check "a dry run tells it, too" is "$(fbctl --dry-run set lan0 unclaimed=drop)" "~ option lan0 unclaimed: stack -> drop"
export LANA_LOG=$PWD/log
check "the last of it" is "$(fbctl log -N 1 | wc -l)" 4
check "in JSON" contains "$(fbctl -j log -N 1)" '"names":["c","t"]'
check "what fails is not in it" not eval "fbctl add c counter 2>/dev/null || fbctl log | grep -c 'add c' | grep -q 2"
fbctl --dry-run add x tee >/dev/null
check "nor what was only looked at" not grep -q '"x"' log
ip netns add red
fbctl -n red add x tee
check "a namespace has a history of its own" is "$(fbctl -n red log | tail -n 1)" "    + block x tee"
ip netns del red

# --- What others change ---

fbctl monitor --log >recorded &
recorder=$!
heard() { fbctl add probe dummy && fbctl rm probe && [ -s recorded ]; }
wait_for 20 heard
fbctl add d dummy
wait_for 20 grep -q 'added d' recorded
python3 -S -c "
import sys
sys.path.insert(0, '$tests')
from lana import Socket
Socket().add('other', 'dummy')"
wait_for 20 grep -q 'added other' recorded
check "changes that others make are in the log" matches "$(fbctl log | tail -n 1)" "^$time somebody: added other idp"
check "and ours only once" is "$(fbctl log | grep -c 'added d ')" 0
for change in 'stack -> drop' 'drop -> stack'; do
	python3 -S -c "
import sys
sys.path.insert(0, '$tests')
from lana import Socket
Socket().set('lan0', 'unclaimed', sys.argv[1])" "${change#*-> }"
	wait_for 20 grep -q "unclaimed: $change" log
done
set='somebody: option-set lan0 idp [0-9]+ type eth key unclaimed:'
check "an option that others set has what it was, and what it is" matches "$(fbctl log | grep somebody.*unclaimed:)" \
	"$set stack -> drop
.*$set drop -> stack$"
kill $recorder

# --- Taken back ---

check "undo is refused when somebody else has changed the graph" matches "$(said fbctl undo)" \
	"^fbctl: undo: the graph has been changed otherwise since 'fbctl add d dummy', at $time: "
LANA_LOG='' fbctl rm other
check "without that it is done" is "$(fbctl undo)" "- block d dummy"
check "a dry run says what it would do" contains "$(fbctl --dry-run undo)" "block probe dummy"
while fbctl log | grep -q probe && fbctl --dry-run undo 2>/dev/null | grep -q probe; do fbctl undo >/dev/null; done
check "once more takes back the one before" matches "$(fbctl undo | tr '\n' ' ')" "- binding t lan0.*- block t tee"
check "that is in the log, too" matches "$(fbctl log | tail -n 4)" "root: fbctl undo"
check "several are taken back together" is "$(fbctl undo 2 | tr '\n' ' ')" "- block c counter - device lan0 ethernet "
check "all is as before" is "$(fbctl save)" "$before"
check "and there is no more" contains "$(said fbctl undo)" "has 0 changes that can be taken back"
vlink ethernet hook lan0
vlink ethernet unhook lan0
ip address add 192.0.2.3/24 dev lan0
check "undo cuts nobody off, and says which change would" contains "$(said fbctl undo)" \
	"fbctl: undo: + device lan0 ethernet: lan0 has 192.0.2.3/24: "
ip address del 192.0.2.3/24 dev lan0
check "with values where there are any" is "$(fbctl undo >said; fbctl set lan0 unclaimed=stack; fbctl --dry-run undo)" \
	"~ option lan0 unclaimed: stack -> drop"
fbctl undo 2 >said
check "that is taken back as well" is "$(fbctl save)" "$before"
check "undo wants at least one" contains "$(said fbctl undo 0)" "0 is not in 1.."
fbctl add c counter --confirm 1 2>/dev/null
gone() { ! fbctl show c >/dev/null 2>&1; }
check "what was not confirmed is taken back" wait_for 30 gone
wait_for 10 not pgrep -f "fbctl hold"
check "and need not be once more" contains "$(said fbctl undo)" "has 0 changes"
check "which is in the log" matches "$(fbctl log | tail -n 2)" \
	"^$time root: not confirmed within 1 s: fbctl add c counter --confirm 1 taken back
    - block c$"
check "for programs, too" contains "$(fbctl -j log -N 1)" '"unconfirmed":"not confirmed within 1 s"'
chmod 444 log
check "a log that cannot be written is told of" contains "$(LANA_LOG=/proc/nowhere said fbctl add c counter)" \
	"warning: the change is not in the log: /proc/nowhere"
fbctl rm c
clean

done_testing
