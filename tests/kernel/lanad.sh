# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# lanad: the graph stays as its files say, rules act, and it can be killed at any time.

. "${0%/*}/../lib.sh"

load
ip link set lo up
ip link add lan0 type veth peer name far0
ip -batch - <<<$'link set lan0 up\nlink set far0 up'
devices=(lan0)
export LANA_LOG=$PWD/log
cat >graph.toml <<-'END'
	bindings = [["c", "lan0"], ["t", "c"]]
	[devices.lan0]
	subsystem = "ethernet"
	[blocks.c]
	type = "counter"
	[blocks.t]
	type = "dummy"
END
# start [OPTION...]: lanad, from now on. What it says is in `said`.
start() {
	lanad --config lanad.toml --run run "$@" 2>>said &
	lanad=$!
	wait_for 20 lanactl --run run status >/dev/null 2>&1
}
stop() { kill "${1:--TERM}" "$lanad" && wait "$lanad" 2>/dev/null || :; }
ask() { lanactl --run run "$@"; }
kept() { [[ $(ask status) = "graph kept"* ]]; }
tells() { grep -qF -- "$1" said; }
now() { fbctl save | grep -v '^#'; }

# --- What is wrong is said at once ---

remember
printf '[graph]\nfiles = ["none.toml"]\n' >lanad.toml
check_fails "a file that is not there" 1 "lanad: none.toml: No such file or directory" lanad --config lanad.toml --run run
check_fails "no configuration" 1 "lanad: nothing: No such file or directory" lanad --config nothing --check
printf '[graph]\nfiles = ["graph.toml"]\n[[rule]]\nname = "r"\nwhen = { block = "c" }\n' >lanad.toml
check_fails "a rule that says too little" 1 "lanad: lanad.toml:5: 'is' is missing: present, missing, unbound" lanad -c lanad.toml --check
check_fails "lanad does not run" 2 "lanactl: run/lanad.sock: No such file or directory (does lanad run?)" lanactl --run run status
check "the schema" contains "$(lanad --schema)" '"title": "Config"'

# --- The graph is kept ---

cat >lanad.toml <<-'END'
	[graph]
	files = ["graph.toml"]
	settle = "20ms"
	backoff = "1s"
END
start --record facts
check "the graph is made" wait_for 20 kept
whole=$(now)
check "it is what the file says" contains "$whole" '["t", "c"]'
check "there is one lanad" contains "$(lanad -c lanad.toml --run run 2>&1)" "lanad: run: lanad runs already"
repaired() { is "$(now)" "$whole"; }
for change in "unbind t c" "add x tee" "set lan0 unclaimed=stack"; do
	# shellcheck disable=SC2086
	fbctl $change
	check "put right: $change" wait_for 20 repaired
done
check "what was put right is said" tells "repaired: + binding t c"
check "and that somebody changes it again and again" tells "somebody changes the graph again and again"
check "the log of changes has it" contains "$(fbctl log)" "lanad --config lanad.toml --run run --record facts"
ask hold "new cables"
fbctl unbind t c
check "who holds the graph, may change it" eval '[[ $(ask status) = "graph held: graph.toml"*"held new cables" ]]'
wait_for 20 tells "differs: + binding t c"
check "what differs is told" contains "$(ask -j status)" '"differs":["+ binding t c"]'
ask release
check "it is kept again" wait_for 20 repaired
check "nobody holds it" contains "$(ask release 2>&1 || :)" "lanactl: nobody holds the graph"
ask hold --for 500ms
fbctl unbind t c
check "a hold ends by itself, and what was changed is put right" wait_for 20 repaired
check "that is said" wait_for 20 tells "nobody holds the graph any more"
cat >>graph.toml <<-'END'
	[blocks.wrong]
	type = "counter"
	options.nothing = "1"
END
ask reload
check "what the kernel refuses is told" wait_for 20 tells "the graph is not as it is wanted: ~ option wrong nothing"
check "the status says it is wrong" contains "$(ask status)" "graph wrong: graph.toml"
sed -i '/blocks.wrong/,$d' graph.toml
ask reload
check "and how it is when that is mended" wait_for 20 kept
fbctl --confirm 60 unbind t c 2>/dev/null
check "a change that waits for a confirmation stays" wait_for 20 tells "a change waits for \`fbctl confirm\`"
fbctl confirm
check "when it is confirmed, it is put right" wait_for 20 repaired

# --- What comes and goes ---

ip link del lan0
check "a device that is gone is missed" wait_for 20 tells "no device lan0 yet"
check "the status says so" contains "$(ask status)" "graph incomplete: graph.toml (no device lan0)"
check "the rest is there" contains "$(fbctl show t)" "down: c"
ip link add lan0 type veth peer name far0
check "when it comes back, it is hooked and bound" wait_for 20 repaired
ip -batch - <<<$'link set lan0 up\nlink set far0 up'
ask hold
printf 'unbind t c\nunbind c lan0\nrm t\nrm c\n' | fbctl -b -
vlink ethernet unhook lan0
unload
check "LANA is unloaded" wait_for 20 tells "LANA was unloaded"
load
ask release
check "when it is loaded again, the graph is made" wait_for 20 repaired
cp graph.toml good.toml
printf 'nonsense\n' >graph.toml
check "a file that is wrong is refused" contains "$(ask reload 2>&1 || :)" "lanactl: graph.toml:1: "
check "and nothing has changed" repaired
{ sed 's/, \["t", "c"\]//' good.toml && printf '[blocks.n]\ntype = "tee"\n'; } >graph.toml
kill -HUP "$lanad"
check "another file is another graph" wait_for 20 fbctl show n
cp good.toml graph.toml
ask reload
check "and back" wait_for 20 repaired
stop
check "it leaves the graph when it ends" repaired
check "a record is replayed" is "$(lanad -c lanad.toml --replay facts)" ""

# --- Rules ---

cat >more.toml <<-'END'
	bindings = [["m", "t"]]
	[blocks.m]
	type = "counter"
END
mkfifo exabgp
exec {pipe}<>exabgp
cat >lanad.toml <<-END
	sample = "200ms"
	[graph]
	files = ["graph.toml"]
	settle = "20ms"
	[probe.near]
	ping = "127.0.0.1"
	interval = "20ms"
	timeout = "50ms"
	window = 3
	[probe.program]
	run = ["test", "!", "-e", "$PWD/broken"]
	interval = "20ms"
	window = 2
	[announcement.bird]
	bird = "bird"
	protocol = "dinr"
	[announcement.exabgp]
	exabgp = "exabgp"
	route = "50.0.0.0/8 next-hop self"
	[[rule]]
	name = "device"
	when = { device = "lan0", is = "down" }
	then = [{ withdraw = "bird" }, { withdraw = "exabgp" }, { run = ["sh", "-c", "echo \$LANA_RULE \$LANA_STATE \$LANA_CAUSE >>ran"] }]
	otherwise = [{ announce = "bird" }, { announce = "exabgp" }]
	[[rule]]
	name = "busy"
	when = { rate = "c.packets", above = 5 }
	clear-for = "500ms"
	then = [{ apply = "more.toml" }, { set = ["lan0", "batch", "on"] }]
	[[rule]]
	name = "near"
	when = { loss = "near", above = 0.5, until = 0 }
	then = [{ unbind = ["t", "c"] }]
	[[rule]]
	name = "program"
	when = { loss = "program", above = 0.5 }
	then = [{ log = "it is broken" }, { run = ["false"] }, { run = ["/no/program"] }]
	[[rule]]
	name = "loop"
	when = { event = "notice" }
	then = [{ log = "a notice" }]
END
python3 -S "$tests/lanad.py" bird bird >bird.log &
wait_for 20 test -S bird
start --record facts
check "what is announced when lanad begins" wait_for 20 grep -q "enable dinr" bird.log
read -rt 10 line <&"$pipe" || :
check "by ExaBGP, too" is "$line" "announce route 50.0.0.0/8 next-hop self"
check "the status has it" wait_for 20 eval '[[ $(ask status) = *"announced: bird"*"announced: exabgp"* ]]'
ip link set lan0 down
check "a device that is down withdraws it" wait_for 20 grep -q "disable dinr" bird.log
read -rt 10 line <&"$pipe" || :
check "from ExaBGP, too" is "$line" "withdraw route 50.0.0.0/8 next-hop self"
check "a program runs and is told why" wait_for 20 grep -qx "device then device lan0 is down" ran
ip link set lan0 up
check "it is announced again" wait_for 20 eval '[ "$(grep -c "enable dinr" bird.log)" -ge 2 ]'
check "a rule that does not hold adds nothing" not fbctl show m 2>/dev/null
ip address add 192.0.2.1/24 dev far0
ip neighbour add 192.0.2.9 dev far0 lladdr 02:00:00:00:00:09
ping -q -i 0.02 -w 60 192.0.2.9 >ping.log 2>&1 &
pinging=$!
check "a rate adds a file to the graph" wait_for 20 eval '[[ $(fbctl show m 2>/dev/null) = *"down: t"* ]]'
check "and sets an option" contains "$(fbctl show lan0)" "batch=on"
kill "$pinging" && wait "$pinging" 2>/dev/null || :
check "when it is over, both are gone" wait_for 20 repaired
ip link set lo down
check "a probe that is lost takes a block off" wait_for 20 eval '[[ $(fbctl show t) != *"down: c"* ]]'
check "the condition tells how many" wait_for 20 eval '[[ $(ask status) = *"loss of near above 0.5 (3 of 3 now)"* ]]'
ip link set lo up
check "it is bound again" wait_for 20 repaired
touch broken
check "a program is a probe" wait_for 20 tells "it is broken"
check "a program that fails is told of" wait_for 20 tells "rule 'program': false: exit status: 1"
check "and one that is not there" wait_for 20 tells "rule 'program': /no/program: No such file or directory"
stop -KILL
start
check "after a kill rules are as they were" wait_for 20 eval '[[ $(ask status) = *"program  yes"* ]]'
rm broken
wait_for 20 eval '[[ $(ask status) = *"program  no"* ]]'
stop
# What rules did is what they do when they learn the same again; the last may come after the end of the record.
grep -o '"at":[^,]*,"rule":.*' facts | python3 -S -c '
import json, sys
for line in sys.stdin:
    acted = json.loads("{" + line)
    what = "holds" if acted["holds"] else "is over"
    rule, cause = acted["rule"], acted["cause"]
    print(f"rule {rule!r} {what}: {cause}")' >acted
lanad -c lanad.toml --replay facts | cut -d ' ' -f 2- >replayed
check "a record that is replayed: the rules do the same" cmp acted replayed
check "and that is something" test "$(wc -l <acted)" -ge 10

# --- Without files ---

cat >lanad.toml <<-'END'
	[[rule]]
	name = "rest"
	when = { unused = ["tee"] }
	for = "20ms"
	then = [{ collect = "unused" }]
	[[rule]]
	name = "swap"
	when = { block = "spare", is = "present" }
	then = [{ replace = ["t", "spare"] }]
	[[rule]]
	name = "hops"
	when = { event = "added", block = "x" }
	per-minute = 1
	then = [{ remove = "x" }]
END
fbctl add unused tee
start --dry-run
check "a dry run tells" wait_for 20 tells 'would do: {"collect":"unused"}'
stop
check "and does nothing" fbctl show unused
mkdir full
mount -t tmpfs -o size=4k none full
start --record full/facts
check "what nobody is bound to is removed" wait_for 20 eval '! fbctl show unused 2>/dev/null'
# Hundredths of a second of the CPU.
used() { cut -d ' ' -f 14,15 "/proc/$lanad/stat" | tr ' ' '+'; }
before=$(($(used)))
pause 0.5
check "it waits without work" test $(($(used) - before)) -lt 25
fbctl add spare dummy
check "a block takes the place of another one" wait_for 20 eval '[[ $(fbctl show spare) = *"down: c"* ]]'
fbctl add x dummy
check "an event is enough" wait_for 20 eval '! fbctl show x 2>/dev/null'
fbctl add x dummy
pause 0.2
check "not more often than it may" fbctl show x
fbctl rm x
fills() { fbctl add y tee 2>/dev/null || :; [[ $(ask status) = *"the record has ended: full/facts: No space left on device"* ]]; }
check "a full disk ends the record, as the status says" wait_for 20 fills
check "lanad goes on" wait_for 20 eval '! fbctl show y 2>/dev/null'
check "that is said once" is "$(grep -c "the record ends: full/facts: No space left on device" said)" 1
check "what was recorded can be replayed" eval 'lanad -c lanad.toml --replay full/facts >replayed'
stop
umount full

# --- systemd, and kills ---

cat >lanad.toml <<-'END'
	[graph]
	files = ["graph.toml"]
	settle = "5ms"
END
fold python3 -S "$tests/lanad.py" notify
fold python3 -S "$tests/lanad.py" kills
stop 2>/dev/null || :
exec {pipe}<&-
done_testing
