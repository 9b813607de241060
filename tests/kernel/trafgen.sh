# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The traffic generator: what it sends arrives byte for byte, by each way; errors are one line.

. "${0%/*}/../lib.sh"

devices=(lan0)
load
namespace red
ip -batch - <<-END
	link add lan0 type veth peer name far0 netns red
	link set lan0 address 02:00:00:00:00:01
	link set lan0 up
	address add 192.0.2.1/24 dev lan0
END
ip -n red link set far0 up
work=$(mktemp -d)

# hex FILE: the frames of a capture, in hexadecimal digits.
hex() {
	python3 -S - "$1" <<-END
		import struct, sys
		data, at = open(sys.argv[1], "rb").read(), 24
		while at < len(data):
		    length = struct.unpack_from("<I", data, at + 8)[0]
		    print(data[at + 16:at + 16 + length].hex())
		    at += 16 + length
	END
}

# arrives COUNT OPTION...: what comes out of the wire when trafgen is called so. Where tcpdump has not seen as many
# frames, on a machine that others use, too, it is tried again.
arrives() {
	local try got
	for try in 1 2 3; do
		got=$(once "$@") && [ "$(grep -c . <<<"$got")" = "$1" ] && break
		diag "try $try: $(cat "$work/said" "$work/dump.err" 2>&1)" >&2
	done
	echo "$got"
}
once() {
	local count=$1 dump
	shift
	rm -f "$work/dump.pcap"
	ip netns exec red timeout 20 tcpdump -B 32768 -s 2048 -U -c "$count" -nn -i far0 -w "$work/dump.pcap" 2>"$work/dump.err" &
	dump=$!
	wait_for 30 grep -q listening "$work/dump.err"
	trafgen "$@" >"$work/said" || return
	wait "$dump"
	hex "$work/dump.pcap"
}

cat >"$work/old.txf" <<-'END'
	$II0: 0,255,1
	$P1 { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0, $II0, 0x88, 0xb5, 0xaa, $II0 }
	$P2 { fill(0xff, 6), 0x02, 0, 0, 0, 0, 9, 0x88, 0xb5, "two" }
END
old="ffffffffffff02000000000088b5aa00
ffffffffffff02000000000988b574776f
ffffffffffff02000000000188b5aa01
ffffffffffff02000000000988b574776f"
# The host's addresses are in it, and the sums are right.
udp='{ udp(sp=dinc(7, 8), dp=9) "hello" }'
new="000000000000020000000001080045000021000000000011f8cbc000020100000000000700090"
check "packets of the language of 2011 arrive" is "$(arrives 4 -dev lan0 -conf "$work/old.txf" -n 4)" "$old"
check "and are counted" is "$(<"$work/said")" "4 frames outgoing
66 bytes outgoing"
check "each by a call, they arrive, too" is "$(arrives 4 -d lan0 -c "$work/old.txf" -n 4 -t 1ms)" "$old"
check "and bound to a CPU" is "$(arrives 4 -dev lan0 -conf "$work/old.txf" -n 4 -bind 0)" "$old"
check "and by traffic control" is "$(arrives 4 -d lan0 -c "$work/old.txf" -n 4 -q)" "$old"
got=$(arrives 2 -d lan0 -n 2 "$udp")
check "header functions know the device's addresses" contains "$got" "$new"
check "and fill in sums that Linux finds right" python3 -S - "$got" <<-'END'
	import sys
	def total(data):
	    words = sum(int.from_bytes(data[at:at + 2].ljust(2, b"\0")) for at in range(0, len(data), 2))
	    while words > 0xffff:
	        words = (words >> 16) + (words & 0xffff)
	    return words
	for line, port in zip(sys.argv[1].split(), (7, 8)):
	    frame = bytes.fromhex(line)
	    assert total(frame[14:34]) == 0xffff, line
	    assert total(frame[26:] ) != 0 and total(frame[26:34] + b"\0\x11" + frame[38:40] + frame[34:]) == 0xffff, line
	    assert int.from_bytes(frame[34:36]) == port, line
END

# All the ways write the same frames: random ones of the same seed, short and long, more than the ring has slots.
cat >"$work/mixed.txf" <<-'END'
	{ fill(0xff, 6), 0x02, drnd(5), c16(0x88b5), drnd(100), dinc() }
	{ eth(type=0x88b5) drnd(1400) }
	{ eth(type=0x88b5) rnd(1) fill(7, 1499) }
END
trafgen -c "$work/mixed.txf" -E 5 -n 3000 -o "$work/wanted.pcap" >/dev/null
# What stands for the device's address in a file.
sed -e 's/type=/sa=0:0:0:0:0:0, type=/' -i "$work/mixed.txf"
for options in "" "-t 0" "-S 64KiB" "-S 64KiB -k 1ms"; do
	# shellcheck disable=SC2086 # words
	arrives 3000 -d lan0 -c "$work/mixed.txf" -E 5 -n 3000 $options >"$work/got"
	check "three thousand random frames arrive as they are to be: ${options:-by the ring}" \
		cmp "$work/got" <(hex "$work/wanted.pcap")
	{ cat "$work/dump.err" "$work/said"; } | sed "s/^/    # /"
done
arrives 3000 -d lan0 -i "$work/wanted.pcap" --fast -n 3000 >"$work/got"
hex "$work/wanted.pcap" >"$work/wanted"
check "a capture is sent as it is" cmp "$work/got" "$work/wanted"
{ cat "$work/dump.err" "$work/said"; wc -l "$work/got" "$work/wanted"; diff <(cut -c1-60 "$work/got") <(cut -c1-60 "$work/wanted") | head -20; } | sed "s/^/    # /"

# A rate is kept: two hundred in a second.
begin=$(date +%s%N)
trafgen -d lan0 -n 100 --rate 200pps "$udp" >/dev/null
took=$((($(date +%s%N) - begin) / 1000000))
check "a rate is kept, took $took ms" test "$took" -ge 490

# --- Into the graph ---

remember
fbctl add count counter
fbctl add end dummy
fbctl bind end count
check "frames go up into a block of the graph" trafgen --lana-below count -n 1000 '{ eth(type=0x88b5) fill(1, 46) }'
check "which counts them" contains "$(fbctl -j stats count)" '"packets":1000,"bytes":60000'
hook lan0
check "frames go down through a block" is \
	"$(arrives 2 --lana lan0 -n 2 '{ eth(da=ff:ff:ff:ff:ff:ff, sa=2:0:0:0:0:1) lana(id=10) "x", dinc() }')" \
	"ffffffffffff020000000001ac0a7801
ffffffffffff020000000001ac0a7802"
check "the device's block counts them" contains "$(fbctl -j stats lan0)" '"packets":2,"bytes":32'
unhook lan0
fbctl -b - <<-END
	unbind end count
	rm end
	rm count
END

# --- Errors: one line ---

remember
one_line() { # NAME STATUS TEXT ARGUMENT...
	local said
	check_fails "$1" "$2" "$3" trafgen "${@:4}"
	said=$(trafgen "${@:4}" 2>&1 >/dev/null || :)
	check "$1: in one line" is "$(wc -l <<<"$said")" 1
}
one_line "a packet that is too short" 1 "packet: packet 1 has 14 bytes" -d lan0 '{ fill(0, 14) }'
one_line "a packet that is too long" 1 "1515 bytes: lan0 sends at most 1514" -d lan0 '{ fill(0, 1515) }'
one_line "a device that is not there" 1 "there is no device nosuch" -d nosuch '{ udp() }'
one_line "a block that is not there" 2 "nosuch" --lana nosuch '{ udp() }'
one_line "a file that is not there" 1 "/nonexistent: No such file or directory" -d lan0 -c /nonexistent
one_line "a CPU that is not there" 1 "there is no CPU 99" -d lan0 -b 99 '{ udp() }'
one_line "no packets" 1 "which packets?" -d lan0
ip link set lan0 down
remember
one_line "a device that is down" 1 "lan0 is down" -d lan0 '{ udp() }'
ip link set lan0 up
ip -n red link set far0 down
remember
one_line "a device without a carrier" 1 "lan0 has no carrier" -d lan0 '{ udp() }'
ip -n red link set far0 up
said=$(trafgen -d lan0 '{ 1, 2, foo }' 2>&1 || :)
check "a mistake is shown with a caret" is "$said" "1 | { 1, 2, foo }
  |         ^
trafgen: packet:1:9: foo: no function and no number has this name"
# One that goes down while frames are sent.
(pause 0.5 && ip link set lan0 down) &
check_down() { [ "$1" = 2 ] && contains "$2" "lan0: Network is down"; }
status=0
said=$(timeout 30 trafgen -d lan0 "$udp" 2>&1 >/dev/null) || status=$?
check "a device that goes down ends it" check_down "$status" "$said"
ip link set lan0 up
(pause 0.5 && ip -n red link set far0 down) &
check_lost() { [ "$1" = 2 ] && contains "$2" "lan0: the device takes no frames any more"; }
status=0
said=$(timeout 30 trafgen -d lan0 "$udp" 2>&1 >/dev/null) || status=$?
check "a device that loses its carrier ends it" check_lost "$status" "$said"
ip -n red link set far0 up
(pause 0.5 && ip -n red link set far0 down) &
status=0
said=$(timeout 30 trafgen -d lan0 -t 0 "$udp" 2>&1 >/dev/null) || status=$?
check "also where each frame is sent by a call" check_lost "$status" "$said"

rm -rf "$work"
done_testing
