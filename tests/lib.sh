# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the files in tests/kernel share. Each sources this, makes its checks, and ends with
# done_testing. Results are KTAP, indented as those of a subtest.

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=${tests%/*}
fblock=/proc/net/lana/fblock
modules=(fb_eth fb_dummy fb_tee fb_counter fb_bpf fb_ethvlink fb_pflana fb_icmp_echo fb_multipath fb_nat fb_netflow fb_defrag fb_fragment fb_delay fb_shape fb_queue fb_classify
	fb_checksum fb_rewrite fb_switch fb_route fb_compress fb_crypt fb_udp_tunnel fb_reliable)

# A kernel that is emulated, or that looks for our mistakes, is slower: `scale N` is the N that fits
# the lane.
scale() {
	local slower=10
	case ${LANA_LANE:-uml} in uml-up) slower=1 ;; uml) slower=2 ;; uml-debug | uml-kasan) slower=50 ;; esac
	echo $((($1 + slower - 1) / slower))
}

# --- Results ---------------------------------------------------------------------------------

n=0
result() { # ok|not ok, NAME [# SKIP why]
	n=$((n + 1))
	printf '    %s %d - %s\n' "$1" "$n" "$2"
}

diag() { printf '%s\n' "$@" | sed -n -e 's/^/    # /' -e '1,30p'; }

# check NAME COMMAND...: the command succeeds. It runs in this shell: a process more takes long in an emulated machine.
output_of_check=$(mktemp)
check() {
	local name=$1 status
	shift
	if "$@" >"$output_of_check" 2>&1; then
		result ok "$name"
	else
		status=$?
		result "not ok" "$name"
		diag "exit status $status: $1 ${2:0:200}" "$(<"$output_of_check")"
	fi
}

# check_fails NAME STATUS TEXT COMMAND...: the command ends with STATUS, says TEXT on standard error,
# and leaves everything as it was when `remember` was called last.
check_fails() {
	local name=$1 want=$2 text=$3 errors status=0 now
	shift 3
	errors=$("$@" 2>&1 >/dev/null) || status=$?
	now=$(state)
	if [ "$status" = "$want" ] && [[ $errors = *"$text"* ]] && [ "$now" = "$remembered" ]; then
		result ok "$name"
		return
	fi
	result "not ok" "$name"
	diag "exit status $status, wanted $want: $*" "said:   $errors" "wanted: $text"
	[ "$now" = "$remembered" ] ||
		diag "what it changed:" "$(diff <(echo "$remembered") <(echo "$now"))"
	remembered=$now
}

skip() { result ok "$1 # SKIP $2"; } # NAME WHY

# fold COMMAND...: a program that makes checks of its own and prints them as `ok - NAME` and
# `not ok - NAME`, each with `# ` lines behind it, and "end" when it is through. Before each NAME goes
# what $about says.
# (`python3 -S`: what a machine adds to Python takes long to load, and is not needed.)
fold() {
	local line end=
	while IFS= read -r line; do
		case $line in
		"ok - "*) result ok "${about:-}${line#ok - }" ;;
		"not ok - "*) result "not ok" "${about:-}${line#not ok - }" ;;
		end) end=yes ;;
		*) diag "${line#\# }" ;;
		esac
	done < <("$@" 2>&1)
	[ -n "$end" ] || result "not ok" "this comes to its end: $*"
}

# built FOLDER BY: ends the test where a script of the host has not built what it loads.
built() {
	[ ! -d "$LANA_MODULES/$1" ] || return 0
	result "not ok" "$LANA_MODULES/$1 is there: $2 ${LANA_MODULES##*/} makes it, on the host"
	printf '    1..%d\n' "$n"
	exit 1
}

# A command that is no check fails: then so does the test.
set -E
trap 'oops "$BASH_COMMAND" "${BASH_LINENO[0]}" $LINENO' ERR
oops() {
	[ "$BASH_SUBSHELL" = 0 ] || return 0
	result "not ok" "the test itself works: $1"
	diag "${0##*/}: line $3, called from line $2"
}

# Prints the plan, after a check that nothing is left in the kernel.
done_testing() {
	local namespace job device
	trap - ERR
	hurry
	for job in $(jobs -p); do kill "$job" 2>/dev/null; done
	wait 2>/dev/null
	[ ! -e /proc/net/lana ] || clean
	for namespace in $(ip netns list | cut -d ' ' -f 1); do ip netns del "$namespace"; done
	for device in "${devices[@]}"; do ip link del "$device" 2>/dev/null; done
	# What a namespace held goes a little later.
	wait_for 10 no_modules
	check "nothing is left when the modules are unloaded" nothing_left
	printf '    1..%d\n' "$n"
}

# Grace periods of RCU take long in an emulated machine. Not while there are packets: there they are
# to be as they are.
hurry() { [ ! -w /sys/kernel/rcu_expedited ] || echo 1 >/sys/kernel/rcu_expedited; }

no_modules() {
	unload 2>/dev/null
	! grep -Eq '^(lana|fb_[a-z_]+) ' /proc/modules
}

nothing_left() {
	local device left=0
	no_modules || { grep -E '^(lana|fb_)' /proc/modules && left=1; }
	[ ! -e /proc/net/lana ] || { echo "/proc/net/lana is there" && left=1; }
	for device in /sys/class/net/*/; do
		device=${device%/}
		[[ " $devices_before " = *" ${device##*/} "* ]] || { echo "device ${device##*/}" && left=1; }
	done
	return "$left"
}

# --- Small helpers ---------------------------------------------------------------------------

is() { [ "$1" = "$2" ] || { printf 'have: %s\nwant: %s\n' "$1" "$2" && false; }; }
contains() { [[ $1 = *"$2"* ]] || { printf 'want: %s\nhave: %s\n' "$2" "$1" && false; }; }
matches() { [[ $1 =~ $2 ]] || { printf 'want: %s\nhave: %s\n' "$2" "$1" && false; }; }
not() { ! "$@"; }

exec {pause}<> <(:)
pause() { read -rt "$1" -u "$pause" || :; }

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		pause 0.05
	done
}

# The whole state: a command that fails leaves it as it was. Not while there is traffic. Read without
# starting programs, which takes long in an emulated machine; on the other lane with the tools too.
state() {
	local file
	echo "$(</proc/net/lana/fblocks)"
	echo "$(</proc/net/lana/vlink)"
	for file in "$fblock"/* /sys/class/net/*/{flags,ifindex,master/ifindex}; do
		[ ! -r "$file" ] || echo "$file $(<"$file")"
	done
	[ "${LANA_LANE:-uml}" != uml ] || fbctl -j show
}
remember() { remembered=$(state); }

# number KEY: the first number of that key in the JSON on standard input, 0 if there is none.
number() {
	local text
	text=$(cat)
	[[ $text =~ \"$1\":\"?([0-9]+) ]] && echo "${BASH_REMATCH[1]}" || echo 0
}

# drops BLOCK REASON
drops() {
	local text
	text=$(fbctl -j stats "$1")
	[[ $text =~ \"reason\":\"$2\",\"packets\":([0-9]+) ]] && echo "${BASH_REMATCH[1]}" || echo 0
}

# shown BLOCK KEY: the number that a block shows.
shown() { fbctl -j show "$1" | sed -n "s/.*\"$2\",\"value\":\"\([0-9.]*\)\".*/\1/p"; }

load() { modprobe -a lana "${modules[@]}"; }
# All that can be unloaded, in one go: starting programs takes long in an emulated machine.
unload() {
	local module loaded=()
	for module in "${modules[@]}" lana; do
		[ ! -e "/sys/module/$module" ] || loaded+=("$module")
	done
	[ ${#loaded[@]} = 0 ] || rmmod "${loaded[@]}"
}

# listen FILE [OPTION...]: from now on FILE gets what `fbctl monitor` tells; that is $monitor.
listen() {
	local file=$1
	: >"$file"
	fbctl monitor "${@:2}" >>"$file" &
	monitor=$!
	heard() { fbctl add probe dummy && fbctl rm probe && [ -s "$file" ]; }
	# What was told to find that out is to be there before it is forgotten.
	told() { [[ $(tail -n 1 "$file") = *removed* ]]; }
	wait_for 10 heard
	wait_for 10 told
	: >"$file"
}

# still: comes back when no packet waits in the queue of a CPU, once nobody sends any more.
still() {
	local was= now
	while now=$(</proc/net/softnet_stat) &&
		{ [ "$now" != "$was" ] || cut -d ' ' -f 12 <<<"$now" | grep -qv '^0*$'; }; do
		was=$now
		pause 0.1
	done
}

# --- Networks --------------------------------------------------------------------------------

# The graph is here; alice and bob are in namespaces of their own, with a wire each that ends here:
#
#     alice: a0  192.0.2.1  <~~~~~> lan0     graph     lan1 <~~~~~>  192.0.2.2  b0 :bob
#
# A function in the background is a process more: there, `ip netns exec` is to be written out.
alice() { ip netns exec alice "$@"; }
bob() { ip netns exec bob "$@"; }
alice_mac=02:00:00:00:00:0a
bob_mac=02:00:00:00:00:0b
lan0_mac=02:00:00:00:00:01
devices=(lan0 lan1)

# namespace NAME...: makes them. Nobody in them speaks unasked: no IPv6, and no search for routers where a test has it.
namespace() {
	local name
	for name; do
		ip netns add "$name"
		ip netns exec "$name" sh -c 'cd /proc/sys/net/ipv6/conf/default; echo 1 >disable_ipv6; echo 0 >router_solicitations'
	done
}

# hosts [SETTING...]: what else lan0 is made with.
hosts() {
	namespace alice bob
	ip -batch - <<-END
		link add lan0 $* address $lan0_mac type veth peer name a0 netns alice address $alice_mac
		link add lan1 type veth peer name b0 netns bob address $bob_mac
		link set lan0 up
		link set lan1 up
	END
	host alice a0 192.0.2.1
	host bob b0 192.0.2.2
}

# What leaves is counted by tc: a witness that does not know LANA.
host() { # NAMESPACE DEVICE ADDRESS
	ip -n "$1" -batch - <<-END
		link set lo up
		link set $2 up
		address add $3/24 dev $2
		ntable change name arp_cache dev $2 mcast_probes 1
	END
	tc -n "$1" -batch - <<-END
		qdisc add dev $2 clsact
		filter add dev $2 egress protocol all matchall action ok
		filter add dev $2 ingress protocol all matchall action ok
	END
}

# Who answers is known, so that nobody asks: only what a test sends is on the wire.
neighbours() {
	ip -n alice neigh replace 192.0.2.3 lladdr $lan0_mac dev a0
	ip -n alice neigh replace 192.0.2.2 lladdr $bob_mac dev a0
	ip -n bob neigh replace 192.0.2.1 lladdr $alice_mac dev b0
}

# sent|received NAMESPACE DEVICE: "packets bytes" since the namespace was made.
sent() { tc_count "$1" "$2" egress; }
received() { tc_count "$1" "$2" ingress; }
tc_count() {
	tc -n "$1" -s -j filter show dev "$2" "$3" |
		sed -n 's/.*"bytes":\([0-9]*\),"packets":\([0-9]*\).*/\2 \1/p'
}

ping_quietly() { # NAMESPACE COUNT ADDRESS [OPTION...]
	ip netns exec "$1" ping -q -n -c "$2" -i 0.01 -W 2 "${@:4}" "$3"
}

# A bridge of blocks between lan0 and lan1; the blocks are named and made by `NAME TYPE` pairs.
# bridge [NAME TYPE]...: lan0 at the bottom, lan1 on top.
bridge() {
	local below=lan0
	{
		while [ $# -gt 0 ]; do
			echo "add $1 $2"
			echo "bind $1 $below"
			below=$1
			shift 2
		done
		echo "bind lan1 $below"
	} | fbctl -b -
}

# What is to be seen may be that a host loses its device.
hook() {
	local device
	for device; do
		vlink ethernet hook "$device" --yes
		[ -z "${batch:-}" ] || fbctl set "$device" batch=on
	done
}
unhook() { for device; do vlink ethernet unhook "$device"; done; }

# pktgen DEVICE COUNT [SETTING...]: the kernel's packet generator, at full speed, in the namespace
# it is called in.
pktgen() { "$tests/pktgen" "$@"; }

# under_load WAY BLOCK TYPE [SETTING...]: frames to nobody at full speed by lan0; meanwhile BLOCK is replaced again and
# again by a block of that type with these settings. What is there then is $block, after $turns times. More settings of
# the packets are in load_with.
under_load() {
	local way=$1 other=other load setting slow=
	block=$2 turns=0
	# Without a pause the driver's polls never end in a kernel that looks for our mistakes.
	case $way/${LANA_LANE:-uml} in frames/uml-kasan | frames/uml-debug) slow="delay 2000000" ;; esac
	ip netns exec alice "$tests/pktgen" a0 "$(scale 100000)" "dst_mac 02:00:00:00:00:0c" "flag UDPCSUM" "flag !SHARED" \
		${slow:+"$slow"} "${load_with[@]}" &
	load=$!
	while [ -d /proc/$load ]; do
		{
			echo "add $other $3"
			for setting in "${@:4}"; do echo "set $other $setting"; done
			echo "replace $block $other"
			echo "rm $block"
		} | fbctl -b -
		read -r block other <<<"$other $block"
		turns=$((turns + 1))
	done
	wait $load
	still
}

# clean: takes the whole graph apart.
clean() { "$tests/clean"; }

[ ! -w /sys/kernel/rcu_expedited ] || echo 0 >/sys/kernel/rcu_expedited
devices_before=
for device in /sys/class/net/*; do devices_before+="${device##*/} "; done
