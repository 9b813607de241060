# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Channels: two hosts agree on a stack of blocks, and change it while packets pass. Each host is a namespace with a graph and a
# lanad of its own; host0 is a program's device, in0 and eth1 are hooked:
#
#     host0 ~~~ in0   top   eth1 ~~~~~ eth1   top   in0 ~~~ host0

. "${0%/*}/../lib.sh"

load
devices=()
namespace a b
ip link add eth1 netns a address 02:00:00:00:00:0a type veth peer name eth1 netns b address 02:00:00:00:00:0b
for host in a b; do
	ip -n "$host" -batch - <<-'END'
		link set lo up
		link add in0 type veth peer name host0
		link set in0 up
		link set host0 up
		link set eth1 up
	END
	fbctl -n "$host" -b - <<-'END'
		add top dummy
	END
	vlink -n "$host" ethernet hook in0
	vlink -n "$host" ethernet hook eth1
	printf 'bind in0 top\nbind top eth1\n' | fbctl -n "$host" -b -
	: >"$host.toml"
	mkdir "run.$host"
done
ip -n a address add 192.0.2.1/24 dev host0
ip -n b address add 192.0.2.2/24 dev host0
key() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
key >key
key >other
start() { # HOST
	lanad -n "$1" -c "$1.toml" -r "run.$1" 2>>"said.$1" &
	eval "lanad_$1=$!"
	wait_for 20 lanactl -r "run.$1" status >/dev/null 2>&1
}
a() { lanactl -r run.a "$@"; }
b() { lanactl -r run.b "$@"; }
at_a=(--to 02:00:00:00:00:0b --key key --top top)
at_b=(--to 02:00:00:00:00:0a --key key --top top)
said() { grep -qF -- "$2" "said.$1"; }
plain() { [[ $(fbctl -n "$1" show top) = *"down: eth1"* ]] && [ "$(fbctl -n "$1" -j show | grep -o '"name":"c[0-9]*\.' | wc -l)" = 0 ]; }
# Pings while something is done: all are answered.
pings() { # NAME COMMAND...
	local name=$1
	shift
	ip netns exec a ping -q -i 0.005 -w 60 192.0.2.2 >pinged &
	local pinging=$!
	pause 0.1
	"$@" >done_meanwhile 2>&1 || :
	pause 0.3
	kill -INT "$pinging" && wait "$pinging" || :
	check "$name: no packet is lost: $(grep -o '.* received' pinged)" grep -q " 0% packet loss" pinged
}
start a
start b

# --- What is wrong ---

refused() { # NAME WHY COMMAND...
	local said status=0
	said=$("${@:3}" 2>&1) || status=$?
	check "$1" matches "$status $said" "^[12] lanactl: .*$2"
}
refused "no such host" "to: 'host' is neither an Ethernet address of one host nor an IP address" a channel eth1 --to host --key key
refused "no such key" "none: No such file or directory" a channel eth1 --to 192.0.2.2 --key none
refused "no key" "key has 64 hexadecimal digits" a channel eth1 --to 192.0.2.2 --key a.toml
refused "no such device" "eth9: No such device" a channel eth9 "${at_a[@]}"
refused "no such block" "this host has no org.lana.tee" a channel eth1 "${at_a[@]}" --want tee
refused "a bound that is none" "adaptive-above, adaptive-until: from 0 to 1" a channel eth1 "${at_a[@]}" --want crypt --adaptive --adaptive-above 2
refused "a block twice" "org.lana.crypt is there twice" a channel eth1 "${at_a[@]}" --want crypt,crypt
refused "no channel to close" "no channel 'eth1'" a channel eth1 --close
refused "nobody answers" "the other host does not answer yet" a channel eth1 "${at_a[@]}" --want crypt --wait 300ms
refused "what is no device" "device: this is no name of a device" a channel "eth 1" --to 192.0.2.2 --key key
fbctl -n a add c1.mine counter
refused "a block of somebody in its place" "block 'c1.mine' has a name of the channel on eth1" eval 'b channel eth1 "${at_b[@]}" && a channel eth1 "${at_a[@]}" --want crypt'
check "it stays" contains "$(fbctl -n a show)" c1.mine
fbctl -n a rm c1.mine
a channel eth1 --close
b channel eth1 --close
check "all of this leaves the graph as it was" plain a
check "who has let the other host begin has no channel any more" wait_for 20 eval '[[ $(b channels) != *eth1* ]]'

# --- A stack, and another one, while packets pass ---

a channel eth1 "${at_a[@]}" --want crypt --wait 0 2>/dev/null
b channel eth1 "${at_b[@]}" --want checksum --wait 0 2>/dev/null
check "both have asked: both get what they want" wait_for 20 eval '[[ $(a channels) = *" up "*checksum*crypt* || $(a channels) = *" up "*crypt*checksum* ]]'
pings "another stack" a channel eth1 "${at_a[@]}" --want checksum,compress,crypt
check "it runs at the host that asked" contains "$(<done_meanwhile)" "eth1: checksum,compress,crypt"
check "and at the other one" contains "$(b channels)" "checksum,compress,crypt"
check "packets are encrypted" matches "$(fbctl -n a show type=crypt)" "encrypted=[1-9]"
check "nobody sees a key" not grep -rq "$(<key)" run.a run.b said.a said.b
pings "one with a block that keeps packets" a channel eth1 "${at_a[@]}" --want reliable,crypt
check "it runs" contains "$(<done_meanwhile)" "eth1: reliable,crypt"
# The old stack goes when it is empty.
one_stack() { [ "$(fbctl -n a -j show | grep -o '"type":"crypt"' | wc -l)" = 1 ]; }
check "the old one goes" wait_for 20 one_stack
pings "from b, with options" b channel eth1 "${at_b[@]}" --want reliable:window=64,crypt
check "the option is set" wait_for 20 eval '[[ $(fbctl -n a show type=reliable) = *window=64* ]]'
refused "an option that is not set" "no channel sets the option .tx.key" b channel eth1 "${at_b[@]}" --want crypt:tx.key=1

# --- Odd messages, and another device of the same number ---

as_before() { [[ $(a channels) = *" up "*reliable,crypt* && $(b channels) = *" up "*reliable,crypt* ]]; }
wait_for 20 as_before
fold python3 -S "$tests/channelflood.py" frames "$lanad_a"
check "one line tells of forged ones" test "$(grep -c "a message is ignored" said.a)" -le 1
changes_device() {
	ip -n a link set eth1 name eth7
	pause 0.3
	ip -n a link set eth7 mtu 1400
	ip -n b link set eth1 mtu 1400
	pause 0.3
	ip -n a link set eth7 name eth1 mtu 1500
	ip -n b link set eth1 mtu 1500
}
pings "a device that is called otherwise, and has another MTU" changes_device
check "the channel stays" wait_for 20 as_before
down() { ip -n a link set eth1 down && pause 0.2 && ip -n a link set eth1 up; }
down
check "after a device that is down, too" wait_for 20 as_before
pings "another stack then" a channel eth1 "${at_a[@]}" --want crypt,checksum
pings "and back" a channel eth1 "${at_a[@]}" --want reliable,crypt
check "it runs" contains "$(<done_meanwhile)" "eth1: reliable,crypt"

# --- Killed ---

restart() { kill -KILL "$lanad_a" && wait "$lanad_a"; start a; wait_for 20 eval '[[ $(a channels) = *" up "* ]]'; }
pings "killed and started again" restart
check "the stack is there" contains "$(a channels)" "reliable,crypt"
half() { (a channel eth1 "${at_a[@]}" --want checksum,crypt --wait 0) & pause 0.0"$1"; restart; }
for moment in ${LANA_LONG:+1 2 5 8} 3; do
	pings "killed in the middle of a change ($moment)" half "$moment"
done
check "the change is made in the end, or not at all" wait_for 20 eval '[[ $(a channels) = *" up "*checksum,crypt* || $(a channels) = *" up "*reliable,crypt* ]]'

# --- Services ---

token=$(b publish eth1 '*' tcp:80)
check "a service has a token" is "$(a resolve eth1 '*' tcp:80)" "$token"
refused "one that is not there" "the other host has no such service" a resolve eth1 '*' tcp:81

# --- The end ---

pings "closed" a channel eth1 --close
check "packets pass without blocks" wait_for 20 plain a
check "at the other host, too" wait_for 20 plain b

# --- What a host lacks ---

b channel eth1 --close --wait 1s 2>/dev/null || :
kill "$lanad_b" && wait "$lanad_b" 2>/dev/null || :
rm -f run.b/lanad.state
start b
b channel eth1 "${at_b[@]}" --have crypt,checksum
refused "a block that the other host lacks" "refused: org.lana.compress: " a channel eth1 "${at_a[@]}" --want compress,crypt
check "an optional one is left out" is "$(a channel eth1 "${at_a[@]}" --want compress?,crypt)" "eth1: crypt"
check "and that is said" said a "without compress"
a channel eth1 --close
wait_for 20 plain b
kill "$lanad_b" && wait "$lanad_b" 2>/dev/null || :
rm -f run.b/lanad.state
start b
b channel eth1 "${at_b[@]}" --demand crypt --closed
refused "a host demands a block" "refused: the other host refuses: a block is demanded" a channel eth1 "${at_a[@]}" --want checksum

# --- Another key, and UDP ---

a channel eth1 --close 2>/dev/null || :
for host in a b; do
	eval "kill \$lanad_$host && wait \$lanad_$host" 2>/dev/null || :
	rm -f "run.$host/lanad.state" "said.$host"
	printf 'unbind top eth1\nbind top eth1\n' | fbctl -n "$host" -b -
	start "$host"
done
b channel eth1 --to 02:00:00:00:00:0a --key other --top top
refused "hosts with different keys" "a message is ignored|does not answer yet" a channel eth1 "${at_a[@]}" --want crypt --wait 2s
check "the other one says why, once" is "$(grep -c "a message is ignored" said.b)" 1
check "nothing is built" plain b
a channel eth1 --close
b channel eth1 --close
ip link add ctl netns a type veth peer name ctl netns b
for host in a b; do ip -n "$host" link set ctl up; done
ip -n a address add 198.51.100.1/24 dev ctl
ip -n b address add 198.51.100.2/24 dev ctl
cat >b.toml <<-END
	[channel.far]
	device = "eth1"
	to = "198.51.100.1"
	key = "$PWD/key"
	number = 7
	top = "top"
END
b reload
check "by UDP, from a configuration" is "$(a channel eth1 --to 198.51.100.2 --key key --top top --number 7 --want compress,crypt)" "eth1: compress,crypt"
check "its blocks have its number" contains "$(fbctl -n b show)" "c7.1.crypt"
fold python3 -S "$tests/channelflood.py" UDP "$lanad_a"
for host in a b; do
	ip -n "$host" link add eth2 type veth peer name "far$host"
	vlink -n "$host" ethernet hook eth2
	fbctl -n "$host" add second dummy
	fbctl -n "$host" bind second eth2
done
b channel eth2 --to 198.51.100.1 --key key --top second --number 8
began=$(date +%s%N)
check "two channels to one host by UDP" is "$(a channel eth2 --to 198.51.100.2 --key key --top second --number 8 --want crypt --switch-after 700ms)" "eth2: crypt"
check "the second one is agreed on for later" test $(($(date +%s%N) - began)) -ge 700000000
token=$(b publish far '*' tcp:82)
check "each gets its messages" is "$(a resolve eth1 '*' tcp:82)" "$token"
a channel eth2 --close
wait_for 20 eval '[[ $(fbctl -n b show second) = *"down: eth2"* ]]'
b channel eth2 --close
for host in a b; do
	ip -n "$host" link del eth2
	fbctl -n "$host" rm second
done

# --- Beside a graph that is kept ---

cat >a.graph.toml <<-'END'
	bindings = [["in0", "top"], ["top", "eth1"]]
	[devices.in0]
	subsystem = "ethernet"
	[devices.eth1]
	subsystem = "ethernet"
	[blocks.top]
	type = "dummy"
END
printf '[graph]\nfiles = ["a.graph.toml"]\nsettle = "20ms"\n' >a.toml
a reload
check "a graph is kept, and the channel stays" wait_for 20 eval '[[ $(a status) = "graph kept"* ]]'
check "as it was" contains "$(fbctl -n a show)" "c7.1.crypt"
whole=$(fbctl -n a save)
fbctl -n a unbind c7.1.crypt c7.in
check "what somebody changes of it is put right" wait_for 20 eval '[ "$(fbctl -n a save)" = "$whole" ]'
pings "another stack beside a graph that is kept" a channel eth1 --to 198.51.100.2 --key key --top top --number 7 --want crypt
check "it runs, and the graph is kept" eval '[[ $(<done_meanwhile) = *"eth1: crypt"* && $(a status) = "graph "@(kept|changing)* ]]'
a hold
refused "who holds the graph holds the channel" "somebody holds the graph" a channel eth1 --to 198.51.100.2 --key key --top top --number 7 --want compress
a release
mv a.graph.toml a.whole.toml
grep -v -e top a.whole.toml -e dummy >a.graph.toml
sed -i 's/^bindings.*//' a.graph.toml
a reload
check "a graph without the block on top of a channel: the channel is named" wait_for 20 said a \
	"no block 'top' for channel 'eth1': add it to the files of the graph, or close the channel"
mv a.whole.toml a.graph.toml
a reload
check "it is mended" wait_for 20 eval '[ "$(fbctl -n a show | grep -c "c7.in")" -gt 0 ] && [[ $(a status) = "graph kept"* ]]'


check "no lanad has panicked" not grep -q panicked said.a said.b
for host in a b; do eval "kill \$lanad_$host"; done
done_testing
