# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# fbctl flows: what it tells of the flows of a netflow is what was sent, sorted and filtered; and a table of many flows is read
# in parts, while packets pass and the block is replaced.

. "${0%/*}/../lib.sh"

said() { "$@" 2>&1 || echo "status $?"; }

check "without LANA it says so" is "$(said fbctl flows)" "fbctl: flows: lana is not loaded (modprobe lana)
status 2"
load
hosts
neighbours
hook lan0 lan1

# --- Bad words ---

check "without a block there is nothing" is "$(said fbctl flows)$(fbctl -j flows | sed 's/"time":"[^"]*",//')" '{"fb":[],"flow":[]}'
bridge c counter x netflow
while IFS='|' read -r words status why; do
	remember
	# shellcheck disable=SC2086
	check_fails "refused: $words" "$status" "$why" fbctl flows $words
	check "in one line" is "$(fbctl flows $words 2>&1 | wc -l)" 1
done <<-'END'
	nothing|2|flows nothing: no block 'nothing'
	c|1|flows c: c is of type counter, and only blocks of type netflow have flows
	scr=192.0.2.1|1|'scr=' is no filter, and no block is called 'scr=192.0.2.1'; the filters are src=, dst=, host=
	src=192.0.2.300|1|'src=192.0.2.300' is no address or prefix
	x proto=tpc|1|'proto=tpc' is not tcp, udp, ... or a number from 0 to 255
	--filter port=70000|1|'port=70000' is not a port from 0 to 65535, or FIRST-LAST
	--filter x|1|'x' is no filter
	out=lan7|1|'out=lan7': there is no such device
	-c 0|1|a number from 1 on
	-o colour|1|'colour'
	-w x|1|an interval is 0.1 to 86400 seconds
	-t 3|1|--times is for --watch
	-w|1|the standard output is no terminal: -b prints text, -j JSON
END

# --- What was sent ---

for setting in inactive=1000s tcp.fin=1000s; do fbctl set x $setting; done
fold python3 -S "$tests/flows.py" shown
screen() { python3 -S "$tests/screen.py" "$1" "$2" "$3" fbctl flows "${@:4}"; }
screen 80 24 Sq x -w 0.2 src=192.0.2.1 proto=17 >screen
check "a screen has a title" matches "$(sed -n 1p screen)" "^fbctl flows - [0-9:]+Z, 6 of 12 flows, src=192.0.2.1 proto=17$"
# Each CPU has flows of its own.
check "what the block counts" matches "$(sed -n 2p screen)" "^x: [12][0-9] flows  load 0 %  [0-9]+ packets  .* packets lost$"
check "the flows, sorted" is "$(awk '/^udp/ { print $2 }' screen | tr '\n' ' ')" \
	"$(printf '192.0.2.1:%s ' 1000 1001 1002 1003 1004 7000)"
check "and what is hidden" matches "$(tail -n 1 screen)" "^q end  \? keys  hidden: .*  s sort: source"
for columns in 60 80 120; do
	python3 -S "$tests/screen.py" $columns 30 . sh -c 'fbctl flows x; printf "\033[?1049l"' >screen
	check "in $columns columns no line is broken" is "$(awk -v most=$columns 'length > most' screen; grep -cE ':(53|123)( |$)' screen)" 8
done
check "anyone can read them" is "$(setpriv --reuid 65534 --regid 65534 --clear-groups fbctl flows x -o source | awk '{ print $2, $3 }')" \
	"$(fbctl flows x -o source | awk '{ print $2, $3 }')"
namespace red
fbctl -n red add y netflow
check "a namespace has flows of its own" matches "$(fbctl -n red -j flows)" '"fb":\[\{"name":"y","option":\[\{"key":"current","value":"0"\},.*\],"flow":\[\]\}$'
fbctl add z netflow
check "without a name there are all blocks" is "$(fbctl -j flows | grep -o '"name":"."' | tr '\n' ' ')" '"name":"x" "name":"z" '
completed=$(LANA_COMPLETE=fish fbctl -- fbctl flows '' | cut -f 1 | tr '\n' ' ')
check "shells complete the blocks and the filters" contains "$completed" "x z src= dst= host= sport= dport= port= proto= vlan= in= out= "
fbctl rm z
fold python3 -S "$tests/flows.py" both
clean

# --- Many ---

# What stays is seen by each reader, once, whatever comes and goes meanwhile: also when the block is another one.
many=$(scale 200000)
hook lan0 lan1
bridge x netflow
for setting in inactive=1000s flows=$((many * 2)); do fbctl set x $setting; done
alice "$tests/pktgen" a0 "$many" "dst_mac 02:00:00:00:00:0c" "src_min 198.18.0.1" "src_max 198.18.3.232" "udp_dst_min 1" \
	"udp_dst_max 212" "udp_src_min 7" "udp_src_max 7"
still
check "many flows are there" is "$(shown x current)" "$many"
fold python3 -S "$tests/flows.py" many "$many" x
check "the tool has all of them" is "$(fbctl flows x | wc -l)" $((many + 1))
others() {
	local turn
	for turn in 1 2 3; do
		# The name stays, and so does its file.
		printf '%s\n' "add y netflow" "set y flows=$((many * 2))" "set y inactive=$((1000 + turn))s" "replace x y" "rm x" \
			"add x netflow" "set x flows=$((many * 2))" "set x inactive=$((2000 + turn))s" "replace y x" "rm y" | fbctl -b -
	done
	while [ -d /proc/$load ]; do pause 0.1; done
}
ip netns exec alice "$tests/pktgen" a0 "$(scale 100000)" "dst_mac 02:00:00:00:00:0c" "flag UDPSRC_RND" "udp_src_min 1000" \
	"udp_src_max 8999" &
load=$!
others &
others=$!
fold python3 -S "$tests/flows.py" meanwhile "$many" x $others
wait $load $others
check "the block was replaced meanwhile" is "$(fbctl -j show x | grep -o 'inactive","value":"[0-9]*s')" 'inactive","value":"2003s'
clean
done_testing
