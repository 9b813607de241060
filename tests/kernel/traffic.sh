# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The verification list of the thesis, on real traffic: redirect, filter, count, duplicate, forward;
# and changes of the graph under load. tc counts what was sent, and knows nothing of LANA.

. "${0%/*}/../lib.sh"

load
hosts
counted() { cat "$fblock/$1"; }
ipv4=$top/examples/ipv4.txt arp=$top/examples/arp.txt

# --- Before: Linux has the devices ---

ip address add 192.0.2.3/24 dev lan0
neighbours
check "without LANA, Linux answers" ping_quietly alice 1 192.0.2.3

# --- Unclaimed ---

vlink ethernet hook lan0 unclaimed=stack # not in batches
fbctl -b - <<-END
	add c counter
	add f bpf
	bind f lan0
END
check "what no block takes, Linux gets and answers" ping_quietly alice 5 192.0.2.3
fbctl set f program=@"$top/examples/arp.txt"
check "what a block drops it does not" not ping_quietly alice 2 192.0.2.3 -W 0.2
fbctl -b - <<-END
	set f program=
	bind c f
END
check "from whichever block it comes" ping_quietly alice 5 192.0.2.3 -s 1472
check "also in fragments, and larger than a page" ping_quietly alice 3 192.0.2.3 -s 20000
check "the engine counts it" matches "$(tail -n +2 /proc/net/lana/ppe | awk '{ sum += $8 } END { print sum }')" "^[1-9]"
check "it is no drop" is "$(drops c unbound)" 0
check "the option is saved" contains "$(fbctl save)" 'unclaimed = "stack"'
remember
check_fails "another word" 2 "unclaimed: drop or stack" fbctl set lan0 unclaimed=linux
fbctl set lan0 unclaimed=drop
check "without the option it is dropped" not ping_quietly alice 2 192.0.2.3 -W 0.2
check "and not saved" not contains "$(fbctl save)" unclaimed
clean

# --- Redirect ---

hook lan0
fbctl -b - <<-END
	add c counter
	bind c lan0
END
before=$(sent alice a0)
check "a hooked device: Linux sees nothing, and does not answer" \
	not ping_quietly alice 5 192.0.2.3 -W 0.2
after=$(sent alice a0)
check "all that was sent is counted, packets and bytes" is "$(counted c)" \
	"$((${after% *} - ${before% *})) $((${after#* } - ${before#* }))"
check "what the last block passes on is dropped, since nothing is on top of it" \
	is "$(drops c unbound)" "$((${after% *} - ${before% *}))"
check "the device's block counts the same" \
	contains "$(fbctl -j stats lan0)" "\"packets\":$((${after% *} - ${before% *})),"
fbctl unbind c lan0
before=$(counted c)
check "unbound again: nothing passes" not ping_quietly alice 3 192.0.2.3 -W 0.2
check "the counter does not count" is "$(counted c)" "$before"
check "the drops are counted where they happen, as unbound" not is "$(drops lan0 unbound)" 0
fbctl rm c
unhook lan0
check "given back: Linux answers again" ping_quietly alice 1 192.0.2.3
ip address del 192.0.2.3/24 dev lan0

# --- Filter and count ---

hook lan0
fbctl -b - <<-END
	add tee tee
	add bpf4 bpf
	add ipv4 counter
	add bpfa bpf
	add arp counter
	add bpfn bpf
	add all counter
	set bpf4 program=@$ipv4
	set bpfa program=@$arp
	bind tee lan0
	bind bpf4 tee
	bind bpfa tee
	bind bpfn tee
	bind ipv4 bpf4
	bind arp bpfa
	bind all bpfn
END
of_protocol() {
	tc -n alice -s -j filter show dev a0 egress protocol "$1" pref "$2" |
		sed -n 's/.*"bytes":\([0-9]*\),"packets":\([0-9]*\).*/\2 \1/p'
}
tc -n alice -batch - <<-END
	filter del dev a0 egress
	filter add dev a0 egress protocol ip pref 1 matchall action ok
	filter add dev a0 egress protocol arp pref 2 matchall action ok
END
ping_quietly alice 20 192.0.2.2 -W 0.2 >ping.log 2>&1 || :
ping_quietly alice 1 192.0.2.99 -W 2 >ping.log 2>&1 || :
sent4=$(of_protocol ip 1) senta=$(of_protocol arp 2)
check "there was IPv4" not is "${sent4% *}" 0
check "there was ARP" not is "${senta% *}" 0
check "the IPv4 filter passes exactly the IPv4 packets" is "$(counted ipv4)" "$sent4"
check "the ARP filter passes exactly the ARP packets" is "$(counted arp)" "$senta"
check "what the IPv4 filter stops is counted as filtered" is "$(drops bpf4 filtered)" "${senta% *}"
check "what the ARP filter stops is counted as filtered" is "$(drops bpfa filtered)" "${sent4% *}"
check "a filter without a program passes all" is "$(counted all)" \
	"$((${sent4% *} + ${senta% *})) $((${sent4#* } + ${senta#* }))"
tc -n alice -batch - <<-END
	filter del dev a0 egress
	filter add dev a0 egress protocol all matchall action ok
END
clean

# --- What does not match ---

hook lan0 lan1
fbctl -b - <<-END
	add f bpf
	add arp counter
	add rest counter
	set f program=@$arp
	bind f lan0
	bind arp f
	bind rest f
	bind lan1 rest
END
pktgen_to() { ip netns exec "$1" "$tests/pktgen" "${@:2}"; }
# The hosts may say more than that.
pktgen_to alice a0 1000
passed() { counted "$1" | cut -d' ' -f1; }
check "what a filter does not match leaves by its second port" test "$(passed rest)" -ge 1000
check "and not by the first" test "$(passed arp)" -lt 100
was=$(passed arp)
ping_quietly alice 1 192.0.2.99 -W 2 >ping.log 2>&1 || :
check "ARP by the first" test "$(passed arp)" -gt "$was"
was=$(drops f filtered)
pktgen_to bob b0 1000
check "down there is no second port, and the rest is dropped" test "$(drops f filtered)" -ge $((was + 1000))
fbctl add c counter
remember
check_fails "it has no third port" 2 "ingress of 'f' is bound to 'rest'" fbctl bind c f
fbctl add g bpf
remember
check_fails "what has one port cannot take its place" 2 "'c' has 1 ingress ports, 'f' uses 2" fbctl replace f c
check "another filter can" fbctl replace f g
was=$(passed rest)
before=$(passed arp)
pktgen_to alice a0 1000
check "without a program all goes by the first port" is "$(passed rest) $(($(passed arp) - before >= 1000))" "$was 1"
fbctl -b - <<-END
	set g program=@$arp
	unbind arp g
END
pktgen_to alice a0 1000
check "the one that is left is at the first port" test "$(drops g filtered)" -ge 1000
fbctl -b - <<-END
	bind arp g
	set g direction=egress
END
was=$(passed rest)
pktgen_to alice a0 1000
check "what the program does not see passes by the first port" test "$(passed rest)" -ge $((was + 1000))
clean

# --- Duplicate ---

hook lan0
fbctl -b - <<-END
	add tee tee
	add one counter
	add two counter
	add three counter
	bind tee lan0
	bind one tee
	bind two tee
	bind three tee
END
count=$(scale 10000)
engine() { awk 'NR > 1 { n += $2 } END { print n }' /proc/net/lana/ppe; }
before=$(engine)
pktgen_to_lan0() { alice "$tests/pktgen" a0 "$@"; }
pktgen_to_lan0 "$count"
check "each packet is at the first branch" is "$(counted one)" "$count $((count * 60))"
check "a clone of each is at the second" is "$(counted two)" "$count $((count * 60))"
check "and at the third" is "$(counted three)" "$count $((count * 60))"
check "the engine counts clones as packets" \
	is "$(($(engine) - before))" "$((count * 3))"
# Its counts are the sums of what the blocks count, and of those that are no more.
totals() { awk 'NR > 1 { for (i = 2; i <= 5; i++) n[i] += $i } END { print n[2], n[3], n[4], n[5] }' /proc/net/lana/ppe; }
total=$(totals)
check "it has counted packets, bytes, calls and drops" matches "$total" '^[1-9][0-9]*( [1-9][0-9]*){3}$'
stays() { # stays WHEN: after these changes of the graph, in one transaction
	fbctl -b - && check "the engine's counts stay when $1" is "$(totals)" "$total"
}
stays "a block takes the place of another" <<<$'add new counter\nreplace one new'
stays "two change places" <<<$'replace new one'
stays "one goes, and one that has changed its place" <<<$'replace one new\nrm one'
stays "one goes and comes again" <<<$'unbind two tee\nrm two\nadd two counter\nbind two tee'
check "which has counted nothing" is "$(counted two)" "0 0"
stays "a block goes" <<<$'unbind three tee\nrm three'
clean

# --- Forward: a bridge of blocks between alice and bob ---

hook lan0 lan1
bridge d1 dummy c1 counter f1 bpf t1 tee d2 dummy
check "ping through the bridge" ping_quietly alice 10 192.0.2.2
check "ping the other way" ping_quietly bob 10 192.0.2.1
check "ping with large packets" ping_quietly alice 5 192.0.2.2 -s 1472
check "ping with fragments" ping_quietly alice 3 192.0.2.2 -s 20000
before=$(counted c1) a=$(sent alice a0) b=$(sent bob b0)
ping_quietly alice 20 192.0.2.2 >ping.log
now=$(counted c1) a2=$(sent alice a0) b2=$(sent bob b0)
check "the counter has the packets of both directions" \
	is "$((${now% *} - ${before% *}))" "$((${a2% *} - ${a% *} + ${b2% *} - ${b% *}))"
check "and their bytes" \
	is "$((${now#* } - ${before#* }))" "$((${a2#* } - ${a#* } + ${b2#* } - ${b#* }))"
bytes=$(scale 100000000)
bob python3 -S "$tests/tcp.py" receive 5001 >tcp.in &
alice python3 -S "$tests/tcp.py" send 192.0.2.2 5001 "$bytes" >tcp.out
wait $!
check "TCP passes, every byte of it" is "$(<tcp.in)" "$(<tcp.out)"
check "it was as much as it should be" matches "$(<tcp.in)" "^$bytes "
mean() { # bytes a packet
	local text
	text=$(fbctl -j stats "$1")
	[[ $text =~ \"packets\":([0-9]+),\"bytes\":([0-9]+) ]] && echo $((BASH_REMATCH[2] / BASH_REMATCH[1]))
}
check "it was sent in super-packets, larger than the MTU" [ "$(mean c1)" -gt 3000 ]

# --- A capture, played back ---

ip netns exec bob tcpdump -q -n -U -i b0 -w /tmp/ping.pcap icmp >tcpdump.log 2>&1 &
capture=$!
wait_for 20 grep -q listening tcpdump.log
ping_quietly alice 10 192.0.2.2 >ping.log
captured() { [ "$(tcpdump -r /tmp/ping.pcap 2>/dev/null | wc -l)" = 20 ]; }
check "tcpdump at bob sees what passes" wait_for 20 captured
kill $capture
wait $capture || :
# Bob answers the requests again, so that half as many packets more pass.
before=$(counted c1) b=$(received bob b0)
alice tcpreplay -q -t -i a0 -l 50 /tmp/ping.pcap >tcpreplay.log 2>&1
now=$(counted c1) b2=$(received bob b0)
check "tcpreplay: every packet of the capture arrives" is "$((${b2% *} - ${b% *}))" 1000
check "and is counted, with bob's answers" is "$((${now% *} - ${before% *}))" 1500

# --- Programs under traffic ---

fbctl set f1 "program=@$ipv4"
check "a filter in the bridge: IPv4 passes" ping_quietly alice 5 192.0.2.2
check "a bad program is refused" not fbctl set f1 program=nonsense
check "the old one still runs: IPv4 passes" ping_quietly alice 5 192.0.2.2
was=$(drops f1 filtered)
fbctl set f1 "program=@$arp"
check "another one is at work at once: IPv4 does not pass" not ping_quietly alice 3 192.0.2.2 -W 0.2
check "it counts what it stops" is "$(($(drops f1 filtered) - was))" 3
fbctl set f1 program=
check "no program: all passes" ping_quietly alice 5 192.0.2.2
ip netns exec alice ping -q -n -i 0.005 -c "$(scale 300)" -W 1 192.0.2.2 >ping.log &
pinger=$!
while kill -0 $pinger 2>/dev/null; do
	fbctl set f1 "program=@$ipv4"
	fbctl set f1 program=
done
wait $pinger
check "programs that pass all are changed under traffic, and no packet is lost" \
	contains "$(<ping.log)" " 0% packet loss"
clean
check "with the graph gone and the devices given back, nothing passes" \
	not ping_quietly alice 1 192.0.2.2 -W 0.2

# --- Conservation: changes under full load ---

hook lan0
fbctl -b - <<-END
	add first dummy
	add mid tee
	add last counter
	bind first lan0
	bind mid first
	bind last mid
END
fold python3 -S "$tests/churn.py" "$(scale 300000)"
clean

done_testing
