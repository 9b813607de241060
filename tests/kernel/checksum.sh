# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block checksum: what it finds, and that it completes what is left to a device.

. "${0%/*}/../lib.sh"

load
hosts
neighbours

fbctl add k checksum
for bad in complete=maybe direction=up nothing=1; do
	remember
	check_fails "refused: $bad" 2 "${bad%%=*}" fbctl set k "$bad"
done
fbctl set k complete=on
fbctl set k direction=ingress
check "what is set is shown" contains "$(fbctl show k)" "complete=on direction=ingress"
fbctl rm k

# --- What it finds, in skbs and in frames ---

tells_apart() {
	fbctl -b - <<-END
		add k checksum
		add good counter
		add bad counter
		bind k lan0
		bind good k
		bind bad k
	END
	fold python3 -S "$tests/checksum.py"
	clean
}
hook lan0
tells_apart
vlink ethernet hook lan0 --xdp
tells_apart

# --- Replaced at full speed ---

for way in skbs frames; do
	if [ $way = frames ]; then
		# A frame does not say that its checksum is still to be filled in.
		alice ethtool -K a0 tx off >/dev/null
		vlink ethernet hook lan0 --xdp
	else
		hook lan0
	fi
	fbctl -b - <<-END
		add k checksum
		add good counter
		bind k lan0
		bind good k
	END
	under_load $way k checksum complete=on
	entered=$(fbctl -j stats lan0 | number packets)
	check "$way: replaced $turns times at full speed: each packet is counted, once" is \
		"$(shown "$block" right) $(shown "$block" wrong) $(shown "$block" unverified)" "$entered 0 0"
	check "$way: none is lost" test "$(shown good packets)" = "$entered" -a "$entered" -gt 0 -a "$turns" -gt 1
	clean
done
alice ethtool -K a0 tx on tso on >/dev/null

# --- Without a second port ---

hook lan0 lan1
bridge k checksum
alice python3 -S - <<-'END'
	import socket
	sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
	sock.bind(("a0", 0))
	for _ in range(5):
	    sock.send(bytes.fromhex("02000000000b02000000000a0800" "4500001400010000400600000102030405060708") + bytes(26))
END
dropped() { [ "$(drops k filtered)" = 5 ]; }
check "what is wrong is dropped as filtered" wait_for 5 dropped
fbctl add l checksum
check "it is replaced" fbctl replace k l
check "and goes on counting" contains "$(fbctl show l)" "wrong=5"

# --- What hosts send: their devices would fill in the sums ---

check "pings pass" alice ping -n -q -c 5 -i 0.01 -W 2 192.0.2.2
talk() {
	bob python3 -S "$tests/tcp.py" receive 5001 >tcp.in &
	alice python3 -S "$tests/tcp.py" send 192.0.2.2 5001 2000000 >tcp.out
	wait $!
	is "$(cat tcp.in)" "$(cat tcp.out)"
}
check "TCP passes, with super-packets" talk
check "nothing of it was wrong" contains "$(fbctl show l)" "wrong=5"
sums() { python3 -S "$tests/checksum.py" sums; }
check "without complete a sum is left to the device" is "$(sums)" 0
fbctl set l complete=on
check "with complete it is in the packet" is "$(sums)" 20
check "which is counted" matches "$(fbctl show l)" "completed=[1-9]"
check "TCP passes then, too" talk
check "super-packets stay whole: each part gets its own" matches "$(fbctl show l)" "incomplete=[1-9]"
check "and nothing was wrong" contains "$(fbctl show l)" "wrong=5"
clean

done_testing
