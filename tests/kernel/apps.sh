# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Two hosts that talk by LANA's sockets: datagrams, and voice while the graph under it is rewired. The
# hosts are namespaces, joined by a wire.

. "${0%/*}/../lib.sh"

load
namespace alice bob
ip -batch - <<-END
	link add a0 netns alice address $alice_mac type veth peer name b0 netns bob address $bob_mac
	netns set alice 1
END
ip -n alice link set a0 up
ip -n bob link set b0 up
alice vlink ethernet hook a0 --yes
bob vlink ethernet hook b0 --yes

# start NAMESPACE NAME PROGRAM [ARG...]: a program that opens a socket of that name, in the background.
start() {
	rm -f "/tmp/$2.err" # of the one before, which was ready, too
	ip netns exec "$1" "${@:3}" >"/tmp/$2.out" 2>"/tmp/$2.err" &
	pids[$2]=$!
	wait_for 30 grep -qs "^ready $2" "/tmp/$2.err" || diag "$(cat "/tmp/$2.err")"
}
declare -A pids
# ended NAME: waits for its end, and keeps its exit status.
ended() {
	status=0
	wait "${pids[$1]}" || status=$?
}

# Who sends first waits until its socket is bound.
delay=1
[ "$(scale 1000)" = 1000 ] || delay=4

# --- Datagrams ---

check "who is bound to nothing is told what to do" \
	contains "$(alice chat-lana --name lone --peer "$bob_mac" --count 1 2>&1 || :)" "'fbctl bind lone BLOCK' binds it"
status=0
chat-lana --help >/dev/full 2>/dev/null || status=$?
check "help that cannot be written is an error" is "$status" 2

start bob there chat-lana --name there --listen
bob fbctl bind there b0
start alice here chat-lana --name here --peer "$bob_mac" --count 100 --interval 5 --delay "$delay"
alice fbctl bind here a0
check "the blocks of sockets are not what a file has" not grep -q here <(alice fbctl save)
check "and none that a file removes" is "$(alice fbctl apply <(alice fbctl save))" "nothing to change"
check "they are made by sockets" matches "$(alice fbctl types)" "pflana +dual +[12] .*socket"
ended here
check "a hundred datagrams to the other host are answered" is "$status" 0
check "none is lost" contains "$(</tmp/here.out)" "sent=100 received=100 lost=0"
check "the blocks have counted them" is "$(alice fbctl -j stats a0 | number packets)" 200
kill -INT "${pids[there]}"
ended there
check "who listens ends when told" is "$status" 0
check "and tells how many it has answered" contains "$(</tmp/there.out)" "answered=100"
check "the sockets' blocks have gone" is "$(alice fbctl -j show | grep -c pflana)$(bob fbctl -j show | grep -c pflana)" 00

# --- Sniffers ---

for mode in recv mmsg ring; do
	start bob tap sniff-lana --name tap --mode "$mode" --count 1000 --seconds 60 --buffer 4194304
	bob fbctl bind tap b0
	ip netns exec alice "$tests/pktgen" a0 1000
	ended tap
	check "sniff-lana --mode $mode takes all that comes" is "$status" 0
	check "and counts it" contains "$(</tmp/tap.out)" "packets=1000 bytes=60000 drops=0"
done

# --- The same by virtual devices ---

alice vlink ethernet unhook a0
bob vlink ethernet unhook b0
alice vlink ethernet add talk a0 10
bob vlink ethernet add talk b0 10
ip -n alice link set talk up
ip -n bob link set talk up
start bob there chat-lana --name there --listen --ethertype 0xac0a
bob fbctl bind there talk
start alice here chat-lana --name here --peer "$bob_mac" --ethertype 0xac0a --count 100 --interval 5 --delay "$delay"
alice fbctl bind here talk
ended here
check "a hundred datagrams by virtual devices are answered" is "$status" 0
check "none is lost there" contains "$(</tmp/here.out)" "sent=100 received=100 lost=0"
kill -INT "${pids[there]}"
ended there

# --- Voice ---

# Who plays waits longer than a machine that others use, too, may stop: what counts is what was measured. Who
# speaks, speaks for longer than a slow one takes to rewire.
rewirings=$(scale 300)
seconds=$((rewirings / (rewirings < 100 ? 3 : 10) + 4))
voice-lana tone --rate 16000 "$seconds" /tmp/speech.wav
start bob ear voice-lana receive --name ear --ethertype 0xac0a --jitter 5000 /tmp/heard.wav
bob fbctl bind ear talk
alice fbctl add probe dummy
start alice mouth voice-lana send --name mouth --peer "$bob_mac" --ethertype 0xac0a --delay "$delay" /tmp/speech.wav
alice fbctl bind mouth talk
pause "$delay"
done=$(ip netns exec alice python3 -S - "$rewirings" "${pids[mouth]}" <<-END
	import os, sys, time
	sys.path.insert(0, "$tests")
	from rig import Lana
	lana, done = Lana(), 0
	put = [("UNBIND", "mouth", "talk"), ("BIND", "probe", "talk"), ("BIND", "mouth", "probe")]
	take = [("UNBIND", "mouth", "probe"), ("UNBIND", "probe", "talk"), ("BIND", "mouth", "talk")]
	while done < int(sys.argv[1]) and os.path.exists("/proc/" + sys.argv[2]):
	    answer = lana.request("TRANSACT", lana.transaction(*(take if done % 2 else put)))
	    if answer.error:
	        print(answer)
	        break
	    done += 1
	    time.sleep(0.03)
	print(done)
END
)
check "the graph was rewired $rewirings times while somebody spoke" is "$done" "$rewirings"
ended mouth
check "who speaks comes to the end" is "$status" 0
ended ear
check "who listens, too, and has lost nothing" is "$status" 0
diag "$(</tmp/mouth.out)" "$(</tmp/ear.out)"
check "every frame was heard" contains "$(</tmp/ear.out)" \
	"frames=$((seconds * 50)) received=$((seconds * 50)) late=0 lost=0 duplicate=0"
# By the kernel's time of arrival, and the speaker's own of sending: what the machine has others do does not count.
measured() { grep -o "$1=[0-9.]*" "/tmp/$2.out" | cut -d = -f 2; }
check "and for none was more than the 60 ms needed that a listener waits unless told, but for the speaker's own" \
	awk -v jitter="$(measured jitter-ms ear)" -v late="$(measured latest-ms mouth)" \
	'BEGIN { exit !(jitter != "" && late != "" && jitter <= 60 + late) }'
check "by way of the block that came and went, too" not is "$(alice fbctl -j stats probe | number packets)" 0
check "the audio is as long as what was said" \
	is "$(($(stat -c %s /tmp/heard.wav) / 48000 / 2))" "$seconds"

done_testing
