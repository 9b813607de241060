# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block netflow: its options, and what it tells collectors of what alice and bob send each other. tests/netflow.py reads the
# messages by what the RFCs say.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
ip link set lo up

# --- Options ---

fbctl add x netflow
remember
while IFS='|' read -r bad why; do
	check_fails "refused: $bad" 2 "${bad%%=*}: $why" fbctl set x "$bad"
done <<-'END'
	version=10|5, 9 or ipfix
	collector.1=192.0.2.1|an address and a port such as
	collector.1=2001:db8::1:2055|an address and a port such as
	collector.1=192.0.2.1:0|an address and a port such as
	collector.1=tls:192.0.2.1:4740|an address and a port such as
	collector.1=tcp:192.0.2.1|an address and a port such as
	collector.8=192.0.2.1:2055|N is from 0 to 7
	collector.10=192.0.2.1:2055|N is from 0 to 7
	source=host|an IPv4 or IPv6 address
	mtu=575|bytes, or a size, from 576b to 9000b
	domain=4294967296|a number from 0 to 4294967295
	key=addresses,colour|words of addresses,ports,protocol,tos,interface
	prefix4=33|a number from 0 to 32
	prefix6=129|a number from 0 to 128
	biflow=both|on or off
	direction=up|ingress, egress or both
	sampling=random|deterministic:N, random:N or hash:N
	sampling=random:16384|deterministic:N, random:N or hash:N
	flows=255|a number from 256 to 8388608
	active=0s|a time from 1s to 1000000s
	inactive=99ms|a time from 100ms to 1000000s
	tcp.fin=x|a time such as
	template.time=0s|a time from 1s to 1000000s
	template.packets=0|a number from 1 to 1000000
	rate=0|a number from 1 to 10000000
	flush=no|yes
END
fbctl set x collector.1=127.0.0.1:9
remember
check_fails "a source that the host does not have" 2 "source: this host does not have the address" fbctl set x source=203.0.113.9
check_fails "a source of another family" 2 "source and collector.1 are of different families" fbctl set x source=::1
while read -r good; do
	fbctl set x "$good"
	check "taken: $good" contains "$(fbctl -j show x)" "\"${good%%=*}\",\"value\":\"${good#*=}\""
	fbctl set x "${good%%=*}="
done <<-'END'
	version=ipfix
	collector.7=[::1]:4739
	source=127.0.0.1
	mtu=9000b
	key=addresses,vlan
	biflow=on
	sampling=hash:2
	flows=100000
	tcp.fin=5s
END
remember
check_fails "more flows than there is memory for" 2 "Cannot allocate memory" fbctl set x flows=8388608
fbctl set x version=ipfix
fbctl set x key=addresses,mac
fbctl save saved.toml
check "a graph with it is saved, and is the same again" is "$(fbctl --dry-run apply saved.toml)" "nothing to change"
clean

# --- Messages ---

for way in skbs frames; do
	about="$way: "
	case $way in
	frames) for lan in lan0 lan1; do vlink ethernet hook $lan --xdp --yes; done ;;
	*) hook lan0 lan1 ;;
	esac
	bridge x netflow
	fold python3 -S "$tests/netflow.py" $way
	clean
done
about=

# --- Under load ---

# What is sent is counted by tc, too. The block that is there is set and replaced, and nothing gets lost.
hook lan0 lan1
bridge x netflow
settings=(version=ipfix collector.1=127.0.0.1:2055 flows=20000)
load_with=("flag UDPSRC_RND" "udp_src_min 1000" "udp_src_max 8999")
for setting in "${settings[@]}"; do fbctl set x "$setting"; done
python3 -S "$tests/netflow.py" collect got 2055 &
wait_for 10 test -s got
read -r packets bytes < <(received bob b0)
under_load skbs x netflow "${settings[@]}"
check "the file lists flows" matches "$(<"$fblock/$block")" "ingress in=[0-9]+ out=0 proto=17 src=.* packets=[0-9]+ bytes="
fbctl set "$block" flush=yes
told() { is "$(shown "$block" current)$(shown "$block" waiting)" 00; }
check "all flows are told of" wait_for 10 told
read -r more_packets more_bytes < <(received bob b0)
packets=$((more_packets - packets)) bytes=$((more_bytes - bytes))
check "the block has counted what came out" is "$(shown "$block" packets) $(shown "$block" bytes)" "$packets $bytes"
python3 -S -c 'import socket; socket.socket(type=2).sendto(b"end", ("127.0.0.1", 2055))'
wait %?netflow.py
check "and told of it, after $turns replacements" matches "$(<got)" "\"packets\": $packets, \"bytes\": $bytes, \"faults\": \[\]"
clean

# --- With its namespace ---

# The block goes with flows, and with a socket of the namespace. A kernel that checks memory looks on.
for turn in 1 2 3; do
	namespace gone
	ip link add g1 type veth peer name g0 netns gone
	ip link set g1 up
	ip netns exec gone sh -c '
		ip link set lo up; ip link set g0 up
		vlink ethernet hook g0 && fbctl add x netflow && fbctl bind x g0 && fbctl set x collector.0=127.0.0.1:2055'
	trafgen -d g1 -n 300 '{ eth(da=ff:ff:ff:ff:ff:ff, sa=2:0:0:0:0:1, type=0x800) ipv4(sa=192.0.2.2, da=192.0.2.1, proto=17) udp(sp=dinc(1000, 2000), dp=53) fill(0, 20) }' >/dev/null
	[ "$turn" != 1 ] || check "a namespace has flows" matches "$(fbctl -n gone -j show x | grep -o '"current","value":"[0-9]*"')" '[1-9]'
	ip netns del gone
	ip link del g1 2>/dev/null || :
done
gone() { is "$(lsmod | awk '$1 == "fb_netflow" { print $3 }')" 0; }
check "and its block goes with it" wait_for 10 gone
done_testing
