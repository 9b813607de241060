# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The compiler of filters: the thesis's commands, and that it runs programs as the kernel does.

. "${0%/*}/../lib.sh"

devices=(lan0)
load
namespace red
ip -batch - <<-END
	link add lan0 type veth peer name far0 netns red
	link set lan0 address 02:00:00:00:00:01
END
# Nobody speaks unasked.
echo 1 >/proc/sys/net/ipv6/conf/lan0/disable_ipv6
ip netns exec red sh -c 'echo 1 >/proc/sys/net/ipv6/conf/far0/disable_ipv6'
ip link set lan0 up
ip -n red link set far0 up
hook lan0
fbctl -b - <<-END
	add fb2 tee
	add fb3 bpf
	add fb4 counter
	add fb5 bpf
	add fb6 counter
	bind fb2 lan0
	bind fb3 fb2
	bind fb5 fb2
	bind fb4 fb3
	bind fb6 fb5
END
cd "$top/examples" || exit

# --- The thesis's commands ---

thesis() { bpfc "$1" >"$fblock/$2"; }
check "bpfc ipv4.bpf > /proc/net/lana/fblock/fb3" thesis ipv4.bpf fb3
check "bpfc arp.bpf > /proc/net/lana/fblock/fb5" thesis arp.bpf fb5
check "bpfc -Vi arp.bpf" is "$(bpfc -Vi arp.bpf)" "*** Generated program:
(000) ldh [-4096]
(001) jeq #0x806 jt 2 jf 3
(002) ret #65535
(003) ret #0
*** Validating: is valid!
*** Result:
{ 0x28, 0, 0, 0xfffff000 },
{ 0x15, 0, 1, 0x00000806 },
{ 0x6, 0, 0, 0x0000ffff },
{ 0x6, 0, 0, 0x00000000 },"
check "what the block shows is what was compiled" is "$(bpfc -d - <"$fblock/fb5")" "$(bpfc arp.bpf | bpfc -d -)"
send() { ip netns exec red trafgen -d far0 -n "$1" "$2" >/dev/null; }
send 3 '{ eth(da=2:0:0:0:0:1, type=0x806) fill(0, 46) }'
send 5 '{ eth(da=2:0:0:0:0:1, type=0x800) fill(0x45, 46) }'
send 7 '{ eth(da=2:0:0:0:0:1, type=0x88b5) fill(0, 46) }'
counted() { is "$(<"$fblock/fb4")" "5 300" && is "$(<"$fblock/fb6")" "3 180"; }
check "each filter passes what is its own" wait_for 10 counted
for form in C xt_bpf tcpdump hex; do
	put() { bpfc -f "$form" arp.bpf >"$fblock/fb5" && is "$(bpfc -f hex - <"$fblock/fb5")" "$(bpfc -f hex arp.bpf)"; }
	check "the block takes the form $form" put
done
remember
check_fails "a program that is wrong does not reach the block" 1 "-:1:1: division by zero" \
	bash -o pipefail -c "echo 'div #0' | cat - arp.bpf | bpfc - >$fblock/fb5"

# --- bpfc, the block and a packet socket ---

fold python3 -S "$tests/bpfc.py"

cd "$top" || exit
fbctl -b - <<-END
	unbind fb6 fb5
	unbind fb4 fb3
	unbind fb5 fb2
	unbind fb3 fb2
	unbind fb2 lan0
END
unhook lan0
for block in fb6 fb5 fb4 fb3 fb2; do fbctl rm "$block"; done
done_testing
