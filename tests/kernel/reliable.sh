# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block reliable: its options, what is on the wire, what is dropped, and hosts that talk through it by a link that loses
# packets, while blocks and options change.

. "${0%/*}/../lib.sh"

load
hosts
neighbours

# --- Options ---

fbctl add r reliable
remember
while IFS='|' read -r bad why; do
	check_fails "refused: $bad" 2 "${bad%%=*}: $why" fbctl set r "$bad"
done <<-'END'
	number=both|egress or ingress
	send=maybe|on or off
	plain=up|pass or drop
	window=0|a number from 1 to 1024
	window=1025|a number from 1 to 1024
	limit=2047|bytes, or a size, from 2kb to 64mb
	limit=65mb|bytes, or a size, from 2kb to 64mb
	retries=0|a number from 1 to 100
	retries=101|a number from 1 to 100
	rto-min=999us|a time from 1ms to 1s
	rto-min=2s|a time from 1ms to 1s
	rto-max=0ns|a time from 1ms to 60s
	rto-max=61s|a time from 1ms to 60s
	ack-delay=101ms|a time such as 10ms, at most 100ms
	timeout=99ms|a time from 100ms to 600s
	timeout=601s|a time from 100ms to 600s
END
remember
check_fails "no such option" 2 "no option 'pending'" fbctl set r pending=2
printf 'set r %s\n' number=ingress send=off plain=drop window=1 limit=2048 retries=100 rto-min=1ms rto-max=60s ack-delay=0ns timeout=0.1s |
	fbctl -b -
check "what is set is shown in its shortest form" contains "$(fbctl show r | tr -s ' \n' ' ')" \
	"number=ingress send=off plain=drop window=1 limit=2kb retries=100 rto-min=1ms rto-max=60s ack-delay=0ns timeout=100ms"
check "the options are listed" matches "$(fbctl types reliable)" 'window .*256'
clean

# --- What is on the wire, and what is dropped ---

for way in skbs frames; do
	about="$way: "
	if [ $way = frames ]; then for lan in lan0 lan1; do vlink ethernet hook $lan --xdp --yes; done; else hook lan0 lan1; fi
	bridge r reliable
	fold python3 -S "$tests/reliable.py" $way
	clean
done
about=

# --- Hosts, by a link that loses packets ---

# Two ends, and a bad link between them.
ends() {
	local lan
	if [ "$1" = frames ]; then
		alice ethtool -K a0 tx off >/dev/null
		bob ethtool -K b0 tx off >/dev/null
		for lan in lan0 lan1; do vlink ethernet hook $lan --xdp --yes; done
	else
		hook lan0 lan1
	fi
	bridge down reliable wire delay up reliable
	fbctl -b - <<-END
		set down number=ingress
		set wire latency=1ms
		set wire seed=7
		set down retries=60
		set up retries=60
	END
}
# Nothing is on its way any more.
quiet() { [ "$(shown up pending) $(shown down pending) $(shown wire waiting)" = "0 0 0" ]; }
# look BLOCK...: what they show and have dropped is in had[BLOCK.KEY] and had[BLOCK.REASON]; both[KEY] is that of the two ends.
declare -A had both
look() {
	local block text
	had=() both=()
	for block; do
		text=$(fbctl -j stats "$block")
		while [[ $text =~ (\"reason\":|\"key\":)\"([^\"]*)\",\"(packets|value)\":\"?([^\",}]*)(.*) ]]; do
			had[$block.${BASH_REMATCH[2]}]=${BASH_REMATCH[4]} text=${BASH_REMATCH[5]}
		done
	done
	for text in sent acknowledged given-up skipped stale; do both[$text]="${had[$1.$text]} ${had[$2.$text]}"; done
	for text in filtered malformed no-memory; do both[$text]="${had[$1.$text]:-0} ${had[$2.$text]:-0}"; done
}
alice ethtool -K a0 tso on >/dev/null
bob ethtool -K b0 tso on >/dev/null
for way in skbs frames; do
	about="$way: "
	ends $way
	check "pings pass" ping_quietly alice 5 192.0.2.2
	fbctl set wire loss=20%
	fbctl set wire duplicate=5%
	fbctl set wire jitter=900us
	fbctl set wire reorder=5%
	check "also where a fifth is lost, in any order, and twice" ping_quietly alice 60 192.0.2.2
	check "in fragments" ping_quietly alice 10 192.0.2.2 -s 5000
	size=$((2000000 / $(scale 20)))
	bob python3 -S "$tests/tcp.py" receive 5001 >tcp.in &
	alice python3 -S "$tests/tcp.py" send 192.0.2.2 5001 $size >tcp.out
	wait $!
	check "TCP arrives whole" is "$(cat tcp.in)" "$(cat tcp.out)"
	check "all is acknowledged in the end" wait_for 20 quiet
	look down up wire
	check "the link lost some, doubled some and reordered some" \
		[ "${had[wire.lost]}" -gt 20 -a "${had[wire.duplicated]}" -gt 5 -a "${had[wire.reordered]}" -gt 5 ]
	check "each packet was delivered once" is "${both[sent]}" "${had[up.delivered]} ${had[down.delivered]}"
	check "and acknowledged" is "${both[acknowledged]}" "${both[sent]}"
	check "none was given up, or skipped" is "${both[given-up]} ${both[skipped]}" "0 0 0 0"
	check "some were sent again" [ "${had[down.resent]}" -gt 5 -a "${had[up.resent]}" -gt 5 ]
	check "and some came twice" [ "$((had[down.duplicate] + had[up.duplicate]))" -gt 5 ]
	check "which are the drops of both" is "$((${both[filtered]/ / + }))" \
		"$((had[down.duplicate] + had[up.duplicate] + had[down.stale] + had[up.stale]))"
	check "there is no other" is "${both[malformed]} ${both[no-memory]}" "0 0 0 0"

	# Blocks in their places: the session goes on.
	before=${had[up.sent]} stale=${both[stale]}
	ip netns exec alice ping -q -n -i 0.005 -c 200 -W 5 192.0.2.2 >ping.out &
	pinging=$!
	for window in 100 200 300; do fbctl set up window=$window; done
	fbctl -b - <<-END
		add other reliable
		set other number=ingress
		replace down other
	END
	fbctl add another reliable
	fbctl replace up another
	wait $pinging
	check "options and blocks change, and no packet is lost" contains "$(<ping.out)" "200 received, 0% packet loss"
	check "which are counted on" [ "$(shown another sent)" -ge $((before + 200)) ]
	check "and no session begins" is "$(shown other stale) $(shown another stale)" "$stale"
	clean
done
about=

# --- Without, with, and without again, while packets pass ---

hook lan0 lan1
bridge down dummy wire delay up dummy
fbctl set wire latency=1ms
ip netns exec alice ping -q -n -i 0.005 -c 600 -W 5 192.0.2.2 >ping.out &
pinging=$!
pause 0.3
fbctl -b - <<-END
	add r1 reliable
	set r1 send=off
	set r1 number=ingress
	replace down r1
END
pause 0.1
fbctl -b - <<-END
	add r2 reliable
	set r2 send=off
	replace up r2
END
fbctl set r1 send=on
pause 0.1
fbctl set r2 send=on
pause 0.5
fbctl set r2 send=off
fbctl set r1 send=off
none() { [ "$(shown r1 pending) $(shown r2 pending) $(shown r1 waiting) $(shown r2 waiting)" = "0 0 0 0" ]; }
wait_for 10 none
numbers="$(shown r1 sent) $(shown r1 acknowledged) $(shown r2 delivered) $(shown r2 sent) $(shown r2 acknowledged) $(shown r1 delivered)"
fbctl -b - <<-END
	add d1 dummy
	add d2 dummy
	replace r1 d1
	replace r2 d2
END
wait $pinging
check "no packet is lost, or comes twice" contains "$(<ping.out)" "600 packets transmitted, 600 received, 0% packet loss"
check "no packet comes twice" not contains "$(<ping.out)" duplicate
read -r a b c d e f <<<"$numbers"
check "some had a number: $numbers" [ "$a" -gt 20 -a "$d" -gt 20 ]
check "each of these has come" is "$b $c $e $f" "$a $a $d $d"
clean

# --- What becomes of what waits ---

hook lan0 lan1
bridge r reliable
ping_quietly bob 20 192.0.2.1 -W 0.2 >/dev/null || :
check "nobody answers, so packets wait" is "$(shown r pending) $(shown r sent)" "20 20"
check "a module whose block holds some cannot go" not rmmod fb_reliable
fbctl unbind lan1 r
fbctl unbind r lan0
fbctl rm r
check "what waits goes with its block, and the module can go then" rmmod fb_reliable
modprobe fb_reliable
bridge r reliable
ping_quietly bob 20 192.0.2.1 -W 0.2 >/dev/null || :
for option in retries=1 rto-min=1ms rto-max=2ms; do fbctl set r $option; done
gone() { [ "$(shown r pending) $(shown r given-up)" = "0 20" ]; }
check "or is given up" wait_for 10 gone
for option in rto-max=60s retries=100; do fbctl set r $option; done
ping_quietly bob 20 192.0.2.1 -W 0.2 >/dev/null || :
ip link del lan0
check "or goes after its device" is "$(shown r pending)" 20
fbctl unbind lan1 r
fbctl rm r
ip netns add away
away() { ip netns exec away "$@"; }
ip link add x0 netns away type veth peer name x1 netns away
ip -n away link set x0 up
ip -n away link set x1 up
away vlink ethernet hook x0 --yes
away vlink ethernet hook x1 --yes
away fbctl add r reliable
away fbctl bind r x0
away fbctl bind x1 r
check "a namespace goes with what waits" ip netns del away
done_testing
