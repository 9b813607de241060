# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block bpf with a program of eBPF, which is pinned in a BPF file system.

. "${0%/*}/../lib.sh"

load
hosts
mkdir -p /run/b
mount -t bpf bpf /run/b
python3 -S "$tests/bpfload.py" /run/b
arp=/run/b/filter-arp
counted() { cat "$fblock/$1"; }

# --- The option ---

fbctl add f bpf
fbctl set f program="pinned:$arp"
shown=$(fbctl show f)
check "the path is shown" contains "$shown" "program=pinned:$arp"
check "and how many instructions there are" contains "$shown" "instructions="
check "and the number that the kernel gave it" matches "$shown" ' id=[1-9]'
check "it is in the file" is "$(cat /proc/net/lana/fblock/f)" "pinned:$arp"
fbctl save >saved.toml
remember
check_fails "a path that is not there" 2 "program: there is no /run/nothing" fbctl set f program="pinned:/run/nothing"
check_fails "a path that is empty" 2 "program: no whole path, such as /sys/fs/bpf/NAME" fbctl set f program=pinned:
check_fails "one from here" 2 "program: no whole path" fbctl set f program=pinned:filter-arp
check_fails "a program for something else" 2 "program: /run/b/xdp-drop is no socket filter" \
	fbctl set f program="pinned:/run/b/xdp-drop"
check_fails "what is no program" 2 "program: /proc/version is no program, or not readable" \
	fbctl set f program=pinned:/proc/version
check_fails "a folder" 2 "program: /run/b is no program, or not readable" fbctl set f program="pinned:/run/b"
long=/$(printf 'x%.0s' {1..5000})
check_fails "a path that is too long" 2 "program: " fbctl set f program="pinned:$long"
fbctl rm f
check "it can be saved and applied" fbctl apply saved.toml
check "and is the same then" is "$(fbctl save)" "$(cat saved.toml)"
echo "pinned:$arp" >/proc/net/lana/fblock/f
check "it can be written to the file" contains "$(fbctl show f)" "program=pinned:$arp"
fbctl set f program=
check "an empty text takes it out" contains "$(fbctl show f)" "instructions=0"
clean

# --- What it decides ---

passed() { counted "$1" | cut -d' ' -f1; }
decides() {
	fbctl -b - <<-END
		add f bpf
		add arp counter
		add rest counter
		set f program=pinned:$arp
		bind f lan0
		bind arp f
		bind rest f
	END
	# No CPU has the control block of a packet from the one before: each is seen as new.
	ip netns exec alice "$tests/pktgen" a0 1000
	local rest
	rest=$(passed rest)
	check "$1: what it answers 0 for leaves by the second port" test "$rest" -ge 1000
	ip netns exec alice ping -c 5 -i 0.01 -W 1 192.0.2.99 >ping.log 2>&1 || :
	check "$1: the rest by the first" test "$(passed arp)" -ge 1
}
hook lan0
decides skbs
mv /run/b/filter-arp /run/b/other
check "the program stays when its path goes" contains "$(fbctl show f)" "program=pinned:$arp"
was=$(passed rest)
ip netns exec alice "$tests/pktgen" a0 1000
check "and runs" test "$(passed rest)" -ge $((was + 1000))
mv /run/b/other /run/b/filter-arp
clean
vlink ethernet hook lan0 --xdp
decides frames
clean
done_testing
