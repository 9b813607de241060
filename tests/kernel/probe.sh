# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# fbctl trace and fbctl capture: what they show is what has happened, and nothing happens by them. First of skbs,
# by the receive handler, then of frames, by native XDP. tcpdump at the other ends is a witness that does not know LANA.

. "${0%/*}/../lib.sh"

load
hosts
neighbours

# --- What is refused, in a line ---

fbctl -b - <<-END
	add flt bpf
	add x dummy
END
hook lan0
remember
# refused NAME STATUS TEXT ARGUMENT...
refused() {
	local said
	check_fails "$1" "$2" "$3" fbctl "${@:4}"
	said=$(fbctl "${@:4}" 2>&1) || :
	check "$1: in a line" is "$(wc -l <<<"$said")" 1
}
refused "a trace from a block that is not there" 2 "no block 'nosuch'" trace --from nosuch
refused "a capture of a block that is not there" 2 "no block 'nosuch'" capture lan0 nosuch
refused "a capture of nothing" 1 "BLOCK|DEV" capture
refused "an expression that is none" 1 "--filter: tcpdump: " trace --filter 'udp port and'
refused "an expression for the shell" 1 "--filter: tcpdump: " capture lan0 --filter 'arp; touch /tmp/x'
refused "the same without --filter" 1 "--filter: tcpdump: " trace udp port and
refused "or behind a block" 1 "--filter: tcpdump: " capture lan0 udp port and
refused "a block that is not there before a filter" 2 "no block 'nosuch'" capture lan0 nosuch icmp
refused "two filters" 1 "a filter stands behind --filter" capture lan0 icmp --filter arp
refused "a file that is not there" 1 "/no/such: No such file" trace --filter @/no/such
refused "a file that is no program" 1 "not an instruction" trace --filter @/etc/passwd
# A jump beyond the end.
printf '2\n21 0 9 1\n6 0 0 1\n' >bad.bpf
refused "a program that the kernel does not take" 2 "filter" trace --filter @bad.bpf
refused "a program that never ends" 2 "filter" capture lan0 --filter @<(printf '1\n40 0 0 12\n')
refused "both of --ok and --drops" 1 "cannot be used with" trace --ok --drops
refused "no packets" 1 "0 is not in" trace -c 0
refused "one of no packets" 1 "0 is not in" trace --sample 0
refused "a name that no block can have" 2 "no block 'a b'" trace --from "a b"
refused "-s, which means something else" 1 "--snaplen" capture lan0 -s
# Here the kernel has said yes already.
said=$(fbctl capture lan0 -w /no/such/file 2>&1) && status=0 || status=$?
check "a file that cannot be made" is "$status $said" "1 fbctl: capture: /no/such/file: No such file or directory"
mkdir -p none
check "without tcpdump it says so" contains \
	"$(PATH=$PWD/none "$(command -v fbctl)" trace --filter arp 2>&1)" "tcpdump is not installed"
setpriv=$(command -v setpriv || :)
if [ -n "$setpriv" ]; then
	check "others than root are refused" contains \
		"$(setpriv --bounding-set -all --inh-caps -all --reuid 65534 fbctl trace 2>&1 || :)" "CAP_NET_ADMIN"
else
	skip "others than root are refused" "there is no setpriv"
fi
fbctl -b - <<-END
	rm flt
	rm x
END

# --- What is shown ---

fold python3 -S "$tests/probe.py" trace held once answers capture removed closed killed
fold python3 -S "$tests/probe.py" same big neutral replaces load
unhook lan0
take_frames() { # NAMESPACE DEVICE
	vlink -n "$1" ethernet hook "$2" --xdp --yes
	fbctl -n "$1" set "$2" unclaimed=stack
}
take_frames alice a0
take_frames bob b0
about="frames: "
fold python3 -S "$tests/probe.py" xdp trace held once answers capture same neutral replaces load
about=

done_testing
