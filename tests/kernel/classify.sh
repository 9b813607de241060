# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block classify: its rules as texts, and what becomes of packets.

. "${0%/*}/../lib.sh"

load
hosts
neighbours

shown_value() { fbctl -j show c | sed -n "s/.*\"key\":\"$1\",\"value\":\"\(\([^\"\\\\]\|\\\\.\)*\)\".*/\1/p"; }

fbctl add c classify
remember
while IFS= read -r bad; do
	check_fails "refused: $bad" 2 "${bad%%=*}: " fbctl set c "$bad"
done <<-'END'
	rule.0=udp
	rule.0=proto=udp
	rule.0=proto=nonsense -> 1
	rule.0=port=53 -> 1
	rule.0=dport=53 dport=54 -> 1
	rule.0=dport=65536 -> 1
	rule.0=src=192.0.2.1/24 -> 1
	rule.0=src=192.0.2.1 dst=::1 -> 1
	rule.0=proto=icmp dport=1 -> 1
	rule.0=vlan=4096 -> 1
	rule.0=dscp=64 -> 1
	rule.0=icmp-type=256 -> 1
	rule.0=bpf="1,6 0 0" -> 1
	rule.0=bpf="1,7 9 9 9" -> 1
	rule.0=-> 64
	rule.0=-> up
	rule.0=src=@ -> 1
	rule.0=src=@65536 -> 1
	rule.0=src=@x -> 1
	rule.65536=-> 1
	prefixes.65536=::/0
	prefixes.0=10.0.0.0/8;
	prefixes.0=10.0.0.0/8,10.0.0.1/8
	prefixes.0=::/0 x
	ports.65536=1
	ports.0=65536
	ports.0=1-2-3
	ports.0-=1
	rule.0=dport=@x -> 1
	rule.01=-> 1
	default=64
	default=up
	direction=up
END
said=$(fbctl set c 'rule.3=proto=udp dport=x -> 1' 2>&1 || :)
check "a mistake is one line that names the culprit" is "$said" \
	"fbctl: set c rule.3: dport='x' is not PORT, FIRST-LAST or @LIST (attribute 'option')"
remember
check_fails "no such option" 2 "no option 'rules'" fbctl set c rules=1
fbctl set c 'rule.20= dport=53  proto=17 -> 2'
fbctl set c 'rule.3=bpf="1,6 0 0 65535," -> drop'
check "rules are shown in their order, and in one form" matches "$(fbctl show c)" \
	'3  bpf="hex 0600000000ffff" -> drop  +0
 +20  proto=udp dport=53 -> 2  +0$'
fbctl set c 'rule.4=vlan=1 bpf="udp port 53" -> 1'
want=$(tcpdump -y EN10MB -ddd 'udp port 53' 2>/dev/null | paste -sd ,)
fbctl set c "rule.5=vlan=1 bpf=\"$want\" -> 1"
check "fbctl has an expression compiled" is "$(shown_value rule.4)" "$(shown_value rule.5)"
ip link set lo up
fbctl set c 'rule.5=bpf="vlan 10 and arp" -> 1'
check "one with vlan looks for the tag beside the bytes" contains "$(shown_value rule.5)" fffff030
remember
check_fails "an expression that is none" 1 "set c rule.4: bpf: tcpdump: can't parse filter expression: syntax error at 'prot 53'" \
	fbctl set c 'rule.4=bpf="udp prot 53" -> 1'
fbctl add f bpf
fbctl set f 'program=ip proto 89'
cat >expressions.toml <<-'END'
	[blocks.c]
	type = "classify"
	options."rule.3" = 'bpf="arp or ip6" -> 1'
	[blocks.f]
	type = "bpf"
	options.program = "ip proto 89"
END
fbctl apply expressions.toml >/dev/null
check "so does apply, which knows what it means" is "$(fbctl --dry-run apply expressions.toml)" "nothing to change"
sed 's/arp or/arp ro/' expressions.toml >bad.toml
remember
check_fails "apply says where one is wrong" 1 "bad.toml:3: rule.3: bpf: tcpdump: " fbctl apply bad.toml
fbctl rm f
fbctl set c 'rule.20=dport=53 proto=17 -> 2'
said=$(fbctl set c 'prefixes.3=10.0.0.0/8, 10.0.0.1/8' 2>&1 || :)
check "a mistake in a list of ports names it" is "$(fbctl set c 'ports.3=80 http' 2>&1 || :)" \
	"fbctl: set c ports.3: 'http' is not PORT or FIRST-LAST (attribute 'option')"
check "a mistake in a list names the prefix" is "$said" \
	"fbctl: set c prefixes.3: '10.0.0.1/8' has bits behind its prefix (attribute 'option')"
seq -f 'set c prefixes.%.0f=::/0' 100 163 | fbctl -b -
remember
check_fails "64 lists are the most" 2 "more than 64 lists" fbctl set c prefixes.99=::/0
for rule in $(seq 100 353); do echo "set c 'rule.$rule=dport=$rule -> 1'"; done | fbctl -b -
remember
check_fails "256 rules are the most" 2 "more than 256 rules" fbctl set c 'rule.99=-> 1'
fbctl rm c

# --- Packets ---

fold python3 -S "$tests/classify.py"

# --- What apply makes of rules ---

fbctl -b - <<-'END'
	add c classify
	set c 'rule.0=proto=udp dport=53 -> 1'
	set c 'rule.7=src=2001:db8::/32 bpf="1,6 0 0 1" -> drop'
	set c 'rule.8=src=@3 dst=@4 dport=@3 -> 2'
	set c 'ports.3=443 80,81'
	set c 'prefixes.3=2001:db8::/32, 10.0.0.0/8'
	set c default=drop
END
fbctl save saved.toml
check "a graph with rules is saved, and is the same again" is "$(fbctl --dry-run apply saved.toml)" "nothing to change"
fbctl rm c
fbctl apply saved.toml >/dev/null
check "and is made anew" contains "$(fbctl show c)" "rule"
fbctl save again.toml
check "just so" is "$(<again.toml)" "$(<saved.toml)"
clean

# --- Malformed packets, at full speed ---

for way in skbs frames; do
	about="$way: "
	if [ $way = frames ]; then vlink ethernet hook lan0 --xdp; else hook lan0; fi
	fbctl -b - <<-'END'
		add c classify
		add k0 counter
		add k1 counter
		add k2 counter
		add k3 counter
		bind c lan0
		bind k0 c
		bind k1 c
		bind k2 c
		bind k3 c
		set c 'rule.0=vlan=0-4095 -> 3'
		set c 'rule.1=proto=icmp icmp-type=8 -> 1'
		set c 'rule.2=dport=0-32767 -> 2'
		set c 'prefixes.9=2001:db8::/32'
		set c 'rule.3=src=@9 dscp=0 -> 1'
		set c 'rule.4=bpf="3,48 0 0 13,84 0 0 1,22 0 0 0," -> 2'
		set c 'rule.5=ethertype=arp -> drop'
	END
	check "malformed packets" ip netns exec alice python3 -S "$tests/pktfuzz.py" --seconds 3 --seed "${LANA_SEED:-1}" \
		--mac $lan0_mac --to 192.0.2.3 --to 2001:db8::3 a0
	still
	fold python3 -S "$tests/classify.py" hits
	clean
done
about=

done_testing
