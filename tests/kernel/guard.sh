# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Changes without fear: a device that the host needs is not hooked by mistake, a change is taken back unless it is
# confirmed, and --dry-run changes nothing.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
ip -n alice neigh replace 192.0.2.3 lladdr "$lan0_mac" dev a0
said() { "$@" 2>&1 || :; }
hooked() { vlink show | grep -q "$1 "; }
saved() { fbctl save; }

# --- What a device has ---

check "a device that has nothing is hooked" vlink ethernet hook lan0
vlink ethernet unhook lan0
echo 0 >/proc/sys/net/ipv6/conf/lan1/disable_ipv6
ip address add fe80::7/64 dev lan1 nodad
check "so is one that has an address of the link only" vlink ethernet hook lan1
vlink ethernet unhook lan1
ip address add 192.0.2.3/24 dev lan0
remember
check_fails "one that has addresses is not" 1 "hook lan0: lan0 has 192.0.2.3/24: " vlink ethernet hook lan0
echo 0 >/proc/sys/net/ipv6/conf/lan0/disable_ipv6
ip address add 2001:db8::3/64 dev lan0 nodad
remember
check_fails "of either family" 1 "lan0 has 192.0.2.3/24 and 2001:db8::3/64: " vlink ethernet hook lan0
check_fails "nor by its frames" 1 "lan0 has 192.0.2.3/24 and" vlink ethernet hook lan0 --xdp
check_fails "nor by its number" 1 "lan0 has 192.0.2.3/24 and" vlink ethernet hook --index "$(</sys/class/net/lan0/ifindex)"
ip address del 2001:db8::3/64 dev lan0
ip route add default via 192.0.2.1
remember
check_fails "nor one that has a default route" 1 "lan0 has 192.0.2.3/24 and the default route: " vlink ethernet hook lan0
SSH_CONNECTION="192.0.2.9 40000 192.0.2.3 22" check_fails "nor one by which one is logged in" 1 \
	"lan0 has 192.0.2.3/24, the default route, and your ssh connection from 192.0.2.9: " vlink ethernet hook lan0
SSH_CONNECTION="192.0.2.9 40000 192.0.2.3 22" check_fails "also if sudo has forgotten it" 1 \
	"your ssh connection from 192.0.2.9" bash -c 'env -u SSH_CONNECTION vlink ethernet hook lan0; exit $?'
SSH_CONNECTION="192.0.2.9 40000 198.51.100.3 22" check_fails "a connection to another namespace is none of it" 1 \
	"lan0 has 192.0.2.3/24 and the default route: " vlink ethernet hook lan0
echo "ethernet hook lan1
ethernet hook lan0" >hooks
check_fails "a batch says which line" 1 "hooks:2: ethernet hook lan0: lan0 has 192.0.2.3/24" vlink -b hooks
printf '[devices.lan1]\nsubsystem = "ethernet"\n[devices.lan0]\nsubsystem = "ethernet"\n' >graph.toml
check_fails "so does a file" 1 "graph.toml:3: + device lan0 ethernet: lan0 has 192.0.2.3/24" fbctl apply graph.toml
check "both say what can be done" contains "$(said fbctl apply graph.toml)" "--yes (hook it anyway)"

# --- Who says yes ---

check "--yes hooks it" vlink ethernet hook lan0 --yes
remember
check_fails "a device that is hooked has nothing to lose" 2 "hooked already" vlink ethernet hook lan0
vlink ethernet unhook lan0
check "in a line of a batch, too" vlink -b - <<<"ethernet hook lan0 --yes"
vlink ethernet unhook lan0
check "and for all of a batch" vlink --yes -b hooks
check "a file needs none for what is hooked already" fbctl apply graph.toml
vlink -b - <<<$'ethernet unhook lan0\nethernet unhook lan1'
check "unclaimed=stack hooks it" vlink ethernet hook lan0 unclaimed=stack
check "in the same change" contains "$(fbctl -j show lan0)" '"key":"unclaimed","value":"stack"'
check "Linux answers" ping_quietly alice 2 192.0.2.3
vlink ethernet unhook lan0
printf '[devices.lan0]\nsubsystem = "ethernet"\noptions.unclaimed = "stack"\n' >stack.toml
check "a file may say so" fbctl apply stack.toml
vlink ethernet unhook lan0
remember
check_fails "an option that is none" 2 "no option 'unclaim'" vlink ethernet hook lan1 unclaim=stack
check_fails "an option without a value" 1 "an option is KEY=VALUE" vlink ethernet hook lan1 stack

# --- Whether it would be done ---

fbctl add c counter
remember
check "--dry-run says what would change" is "$(fbctl --dry-run add x tee)" "+ block x tee"
check "of a batch" is "$(printf 'add x tee\nbind x c\nset c direction=\n' | said fbctl -b - --dry-run)" \
	"fbctl: -:3: set c direction: type counter has no option 'direction': it has packets, bytes (attribute 'option')"
check "line by line" is "$(printf 'add x tee\nbind x c\nsubscribe x c\n' | fbctl -b - --dry-run)" \
	$'+ block x tee\n+ binding x c\n+ subscription x c'
check "in JSON" contains "$(fbctl -j --dry-run rm c)" '[{"change":"remove","item":"block","names":["c"]}]'
check "of a device" is "$(vlink --dry-run ethernet hook lan1 --xdp unclaimed=stack)" \
	$'+ device lan1 ethernet --xdp\n~ option lan1 unclaimed=stack'
check "of a virtual one, as far as the kernel can tell" contains "$(said vlink --dry-run ethernet add v0 lan1 7)" \
	"the kernel has not looked at the last 1 of 1 changes"
check "of a file" is "$(fbctl apply graph.toml --dry-run --yes | tr '\n' ' ')" \
	"- block c counter + device lan1 ethernet + device lan0 ethernet "
check_fails "--dry-run says what the kernel would" 2 "rm nobody: no block 'nobody'" fbctl --dry-run rm nobody
check_fails "also of the last line" 2 "-:2: rm nobody: no block 'nobody'" fbctl --dry-run -b - <<<$'add x tee\nrm nobody'
check_fails "and of a file" 2 "graph.toml:1: + device lan1 ethernet" eval "ip link set lan1 name lan7; fbctl --dry-run apply graph.toml --yes; ip link set lan7 name lan1; exit 2"
check_fails "--dry-run refuses to cut one off" 1 "lan0 has 192.0.2.3/24" vlink --dry-run ethernet hook lan0
check_fails "it is for changes" 1 "--dry-run: this command changes no graph" fbctl --dry-run save file
check_fails "and not for lines that do not see each other" 1 "not for --force" fbctl --dry-run --force -b - <<<"add x tee"
fbctl rm c

# --- Unless it is confirmed ---

fold python3 -S "$tests/login.py"
check "the kernel's log says what happened" contains "$(dmesg | tail -n 20)" "lana: lan0: hooked, by ethernet at its receive handler"
check "and why it was taken back" contains "$(dmesg | tail -n 20)" "lana: a change was not confirmed within 3 s: it is taken back"

fbctl -b - <<<$'add c counter\nadd t tee\nbind c t'
before=$(saved)
# The session ends, as hard as can be: the process that waits has one of its own.
setsid bash -c 'fbctl -b - --confirm 3 <<<$'"'unbind c t\nrm t\nadd d dummy'"'; echo made >made; kill -KILL 0' 2>/dev/null &
wait_for 30 test -s made
check "a change of any kind is made at once" contains "$(saved)" "blocks.d"
check "--confirm is for one change at a time" contains "$(said fbctl add x tee --confirm 5)" \
	"a change waits for \`fbctl confirm\` already"
back() { [ "$(saved)" = "$before" ]; }
check "and taken back, though the session was killed" wait_for 30 back
wait_for 10 not pgrep -f "fbctl hold"
check "then nothing waits any more" contains "$(said fbctl confirm)" "no change waits to be confirmed"
fbctl add d dummy --confirm 600 2>/dev/null
check "a change is confirmed" is "$(fbctl confirm)" "the change is kept"
check "and stays" contains "$(saved)" "blocks.d"
remember
check_fails "a change that fails leaves nothing that waits" 2 "'d' exists already" fbctl add d dummy --confirm 600
check "so another can" fbctl rm d --confirm 600
kill "$(pgrep -f 'fbctl hold')"
back_again() { contains "$(saved)" "blocks.d" >/dev/null; }
check "who ends what waits takes the change back" wait_for 30 back_again
ip netns add red
fbctl -n red add x tee --confirm 600 2>said
check "in another namespace" contains "$(<said)" "\`fbctl -n red confirm\` within 600 s"
check "it is another one" contains "$(said fbctl confirm)" "no change waits"
check "which is confirmed there" is "$(fbctl -n red confirm)" "the change is kept"
ip netns del red
clean

done_testing
