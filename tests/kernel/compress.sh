# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block compress: its options, what is on the wire, what is dropped, and hosts that talk through it.

. "${0%/*}/../lib.sh"

load
hosts
neighbours

fbctl add c compress
remember
while IFS='|' read -r bad why; do
	check_fails "refused: $bad" 2 "${bad%%=*}: $why" fbctl set c "$bad"
done <<-'END'
	compress=both|egress or ingress
	level=0|a number from 1 to 9
	level=10|a number from 1 to 9
	least=63|bytes, or a size, from 64b to 65547b
	limit=65548|bytes, or a size, from 64b to 65547b
END
remember
check_fails "no such option" 2 "no option 'ratio'" fbctl set c ratio=2
for good in compress=ingress level=9 least=1000 limit=2000; do
	fbctl set c $good
done
check "what is set is shown" matches "$(fbctl show c)" "compress=ingress level=9 least=1000b? limit=2000b?"
check "the options are listed" matches "$(fbctl types compress)" 'limit .*9018'
clean

for way in skbs frames; do
	about="$way: "
	if [ $way = frames ]; then for lan in lan0 lan1; do vlink ethernet hook $lan --xdp --yes; done; else hook lan0 lan1; fi
	bridge c compress
	fold python3 -S "$tests/compress.py" $way
	clean
done
about=

alice ethtool -K a0 tso on >/dev/null
bob ethtool -K b0 tso on >/dev/null
for way in skbs frames; do
	about="$way: "
	if [ $way = frames ]; then
		alice ethtool -K a0 tx off >/dev/null
		bob ethtool -K b0 tx off >/dev/null
		for lan in lan0 lan1; do vlink ethernet hook $lan --xdp --yes; done
	else
		hook lan0 lan1
	fi
	bridge down compress wire counter up compress
	fbctl set down compress=ingress
	check "pings pass" ping_quietly alice 5 192.0.2.2 -s 500
	check "in fragments" ping_quietly alice 3 192.0.2.2 -s 5000 -p 6c616e61
	size=$((20000000 / $(scale 20)))
	bob python3 -S "$tests/tcp.py" receive 5001 >tcp.in &
	alice python3 -S "$tests/tcp.py" send 192.0.2.2 5001 $size >tcp.out
	wait $!
	check "TCP arrives whole" is "$(cat tcp.in)" "$(cat tcp.out)"
	before=$(shown up compressed)
	ip netns exec alice ping -q -n -i 0.002 -c 300 -W 5 -s 1000 -p 6c616e61 192.0.2.2 >ping.out &
	pinging=$!
	for level in 9 1 3; do fbctl set up level=$level; done
	fbctl add other compress
	fbctl replace up other
	wait $pinging
	check "a block in its place, and no packet is lost" contains "$(<ping.out)" "300 received, 0% packet loss"
	check "which counts on" [ "$(shown other compressed)" -ge "$((before + 300))" ]
	still
	check "what was compressed was decompressed" is \
		"$(shown down compressed) $(shown other compressed)" "$(shown other decompressed) $(shown down decompressed)"
	check "it is shorter" [ "$(shown down bytes-out)" -lt "$(shown down bytes-in)" ]
	check "nothing was dropped" is "$(drops down malformed) $(drops other malformed) $(drops other too-big)" "0 0 0"
	clean

	# Two in a row: what is compressed twice comes back.
	if [ $way = frames ]; then for lan in lan0 lan1; do vlink ethernet hook $lan --xdp --yes; done; else hook lan0 lan1; fi
	bridge a compress b compress c compress d compress
	fbctl set a compress=ingress
	fbctl set b compress=ingress
	check "twice is once" ping_quietly alice 5 192.0.2.2 -s 1000 -p 6c616e61
	check "as each of the two counts" is "$(shown c decompressed) $(shown d decompressed)" "5 5"
	clean
done
about=

done_testing
