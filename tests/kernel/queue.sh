# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block queue: its options, what it drops and marks by CoDel, and how long TCP waits in it.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
hook lan0 lan1

fbctl add q queue
remember
for bad in rate=1 rate=999bit rate=101gbit burst=65mb limit=0 limit=100001 limit-bytes=0 drop=head target=0ns target=61s \
	interval=1 interval=999ns ecn=yes direction=up nothing=1; do
	check_fails "bad $bad" 2 "${bad%%=*}" fbctl set q "$bad"
done
fbctl set q rate=0.5mbit
fbctl set q drop=codel
fbctl set q target=5000us
fbctl set q interval=0.2s
fbctl set q limit-bytes=2048
check "what is set is shown in its shortest form" contains "$(fbctl show q | tr -s ' \n' ' ')" \
	"rate=500kbit limit-bytes=2kb drop=codel interval=200ms"
clean

fold python3 -S "$tests/codel.py"

# --- TCP ---

# A super-packet counts as one.
for host in alice:a0 bob:b0; do
	ip netns exec "${host%:*}" ethtool -K "${host#*:}" tso off gso off gro off >/dev/null
done

# A link that is slower than the hosts are, also on a busy machine, and where the kernel looks for our mistakes.
rate=2mbit bytes=800000
case ${LANA_LANE:-uml} in uml-kasan | uml-debug) rate=1mbit bytes=600000 ;; esac
# download OPTION...: TCP through that link. Sets `middle`, how many microseconds packets waited (the median),
# and the counters.
download() {
	local option reader
	bridge q queue
	for option in rate=$rate direction=ingress "$@"; do fbctl set q "$option"; done
	bob python3 -S "$tests/tcp.py" receive 5001 >tcp.in &
	reader=$!
	alice python3 -S "$tests/tcp.py" send 192.0.2.2 5001 $bytes >tcp.out &
	sleep 0.8
	for _ in {1..20}; do
		sleep 0.03
		fbctl -j show q
	done | sed -n 's/.*"sojourn","value":"\([0-9]*\)us".*/\1/p' | sort -n >waits
	middle=$(sed -n 10p waits)
	dropped=$(shown q dropped) marked=$(shown q marked)
	wait $!
	wait $reader
	check "$*: TCP passes, every byte" is "$(cat tcp.in)" "$(cat tcp.out)"
	clean
	hook lan0 lan1
}
hook lan0 lan1
download drop=tail
tail=$middle
check "a long queue makes TCP wait: $tail us" test "$tail" -gt 20000
download drop=codel
check "with CoDel it waits less: $middle us" test "$middle" -lt $((tail * 3 / 4))
check "by drops: $dropped" test "$dropped" -gt 0 -a "$marked" -eq 0
for host in alice bob; do ip netns exec $host sysctl -q net.ipv4.tcp_ecn=1; done
download drop=codel ecn=on
check "or by marks: $middle us" test "$middle" -lt $((tail * 3 / 4))
check "and then without a drop: $marked marks" test "$dropped" -eq 0 -a "$marked" -gt 0

# --- What becomes of what waits, and malformed packets ---

bridge q queue
fbctl set q rate=1kbit
ping_quietly alice 20 192.0.2.2 >/dev/null || :
check "packets wait" contains "$(fbctl show q)" "waiting=19"
check "a module whose block holds some cannot go" not rmmod fb_queue
fbctl unbind lan1 q
fbctl unbind q lan0
fbctl rm q
check "what waits goes with its block, and the module can go then" rmmod fb_queue
modprobe fb_queue
bridge q queue
for option in rate=5mbit drop=codel target=1us interval=100us ecn=on limit=20; do fbctl set q "$option"; done
check "malformed packets" ip netns exec alice python3 -S "$tests/pktfuzz.py" --seconds 2 --seed "${LANA_SEED:-1}" \
	--mac $bob_mac --to 192.0.2.2 --to 2001:db8::2 a0
check "some were marked, and some dropped: $(shown q marked), $(shown q dropped)" \
	test "$(shown q marked)" -gt 0 -a "$(shown q dropped)" -gt 0

done_testing
