# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What comes each second, fbctl stats --watch and fbctl top: what they tell is what was sent; and which blocks
# are shown, and how those with many options are.

. "${0%/*}/../lib.sh"

# value FILE EXPRESSION: of the JSON in the last line of a file, which is `r`; b has its blocks by name.
value() {
	tail -n 1 "$1" | python3 -S -c 'import json, sys; r = json.load(sys.stdin); b = {fb["name"]: fb for fb in r["fb"]}; print(eval(sys.argv[1]))' "$2"
}
ends() { status=0 && wait "$1" || status=$?; }
said() { "$@" 2>&1 >/dev/null </dev/null || echo "status $?"; }
names() { "$@" | tail -n +2 | grep '^[^ ]' | cut -d ' ' -f 1 | tr '\n' ' '; }

check "without LANA it says so" is "$(said fbctl top -b -n 1)" \
	$'fbctl: top: lana is not loaded (modprobe lana)\nstatus 2'

load
hosts
neighbours
hook lan0
hook lan1
fbctl -b - <<-END
	add mid tee
	add wall bpf
	add sum counter
	add idle dummy
	bind mid lan0
	bind wall mid
	bind sum mid
END
echo "{ 0x6, 0, 0, 0x00000000 }," >$fblock/wall

# --- Each second ---

# Everything that is sent is sent within an interval.
fbctl -j stats -w 3 -c 1 >out &
tool=$!
pause 0.5
alice ping -q -c 50 -i 0.002 -W 1 192.0.2.2 >/dev/null || :
ends "$tool"
check "stats --watch ends after so many times" is "$status" 0
check "a line of JSON each time" is "$(wc -l <out)" 1
check "packets a second, by the time that has passed" \
	is "$(value out '[round(b[n]["packets-per-second"] * r["seconds"]) for n in ("lan0", "mid", "wall", "idle")]')" "[50, 50, 50, 0]"
check "bits a second" is "$(value out 'round(b["lan0"]["bits-per-second"] * r["seconds"] / 8)')" "$(sent alice a0 | cut -d ' ' -f 2)"
check "drops a second, by reason" \
	is "$(value out '[(d["reason"], round(d["packets-per-second"] * r["seconds"])) for d in b["wall"]["drop"] if d["packets"]]')" "[('filtered', 50)]"
check "drops a second at the end of the graph" \
	is "$(value out 'round(b["sum"]["drops-per-second"] * r["seconds"])')" 50
check "what a device receives and sends stands apart" \
	is "$(value out '[round(b[n][k] * r["seconds"]) for n in ("lan0", "lan1") for k in ("received-per-second", "sent-per-second")]')" \
	"[50, 0, 0, 0]"
check "a block that is no device has neither" is "$(value out '"received" in b["mid"] or "sent-per-second" in b["mid"]')" False
check "the engine has seen the copies, too" \
	is "$(value out 'round(r["engine"]["packets-per-second"] * r["seconds"])')" 100
check "the totals are those of stats" \
	is "$(value out '[b["wall"][k] for k in ("packets", "bytes", "drops")]' | tr -d '[],')" \
	"$(fbctl -j stats wall | python3 -S -c 'import json, sys; s = json.load(sys.stdin)["fb"][0]["stats"]; print(s["packets"], s["bytes"], sum(d["packets"] for d in s["drop"]))')"

fbctl stats -w 0.2 -c 3 >out
check "as text, a table each time" is "$(grep -c '^NAME  TYPE     PACKETS/S  RX/S  TX/S  BITS/S  DROPS/S  REASONS$' out)" 3
check "with all blocks" is "$(grep -c '^idle  dummy            0     -     -       0        0  -$' out)" 3
check "above it the time" is "$(grep -Ec '^[0-9]{2}:[0-9]{2}:[0-9]{2}Z$' out)" 3
check "above it what the engine has in all" is "$(grep -c '^engine:  0 packets/s  0 bit/s  0 drops/s  0 unclaimed/s$' out)" 3
fbctl stats wall idle -w 0.2 -c 1 >out
check "or some, with their sum" is "$(names cat out)" "NAME wall idle total "
fbctl stats wall -w 0.2 -c 1 >out
check "of one there is no sum" is "$(names cat out)" "NAME wall "
fbctl stats -w 1 -c 9 >out &
tool=$!
pause 0.3
kill "$tool"
ends "$tool"
check "a signal ends it" is "$status" 0
check "an interval that is none is named" contains "$(said fbctl stats -w wall)" \
	"invalid value 'wall' for '--watch [<SECONDS>]': an interval is 0.1 to 86400 seconds; names stand before the option"
check "a block that is not there, too" is "$(said fbctl stats nothing -w 0.1 -c 1)" \
	$'fbctl: stats nothing: no block \'nothing\' (attribute \'name\')\nstatus 2'
check "--count wants --watch" matches "$(said fbctl stats -c 1)" "--watch.*status 1"
check "the engine has no --watch of its own" matches "$(said fbctl stats --cpu -w)" "cannot be used with.*status 1"

# --- The most first ---

fbctl top -b -n 2 -d 0.2 >out
check "top -b prints as often as said" is "$(grep -c '^fbctl top - ' out)" 2
check "all blocks, with totals" matches "$(<out)" "wall   bpf              0     -     -       0        0       -      -       50 +[0-9.]+k     50"
check "the engine's rates and totals" matches "$(<out)" "total:   100 packets  [0-9.]+ kB  150 calls  100 drops  0 unclaimed"
fbctl top -b -n 1 -d 0.2 -o total >out
check "sorted by what is said" is "$(grep -A 9 ^BLOCK out | names cat)" "sum wall idle lan0 lan1 mid "
fbctl top -b -n 1 -d 0.2 -o name -r >out
check "and the other way round" is "$(grep -A 9 ^BLOCK out | names cat)" "wall sum mid lan1 lan0 idle "
fbctl top -b -n 1 -d 0.2 -o name lan type=eth >out
check "filtered by parts of names and by type" is "$(grep -A 9 ^BLOCK out | names cat)" "lan0 lan1 "
check "which it says" matches "$(<out)" "2 of 6 blocks, lan type=eth"
fbctl top -b -n 1 -d 0.2 bound-to=mid -o name >out
check "filtered by what they are bound to" is "$(grep -A 9 ^BLOCK out | names cat)" "lan0 sum wall "
fbctl -j top -n 2 -d 0.2 >out
check "with --json a line each time" is "$(wc -l <out) $(value out 'len(r["fb"])')" "2 6"
check "-n is how often" contains "$(said fbctl top -n red)" "invalid value 'red' for '--count <TIMES>'"
ip netns add red
check "a namespace stands before the command" contains "$(fbctl -n red top -b -n 1 -d 0.1)" "0 of 0 blocks"
check "or has its long option" contains "$(fbctl top -b -n 1 -d 0.1 --netns red)" "0 of 0 blocks"
ip netns del red
check "a type that is not there is named" is "$(said fbctl top -b type=countr)" \
	$'fbctl: top type=countr: unknown type \'countr\'; tip: a similar type exists: \'counter\'\nstatus 1'
check "without a terminal it says what to do" contains "$(said fbctl top)" \
	$'fbctl: top: the standard output is no terminal: -b prints text, -j JSON\nstatus 1'

# screen COLUMNS ROWS KEYS [OPTION...]
screen() { python3 -S "$tests/screen.py" "$1" "$2" "$3" fbctl top "${@:4}"; }
screen 110 24 .q >screen
check "the screen has a title" matches "$(head -n 1 screen)" "^fbctl top - [0-9:]+Z, 6 of 6 blocks, totals since each block was made$"
check "the blocks" matches "$(<screen)" "wall   bpf +0 +- +- +0 +0 +- +- +50 +[0-9.]+k +50"
check "the keys" contains "$(tail -n 1 screen)" "q end  ? keys  s sort: packets  / filter  i idle  p pause  r reverse  z zero"
screen 80 24 sq -o drops >screen
check "a key sorts by the next column" contains "$(tail -n 1 screen)" "s sort: total drops"
check "which the blocks are" is "$(sed -n 6p screen | cut -d ' ' -f 1)" sum
check "a narrow terminal has the drops" matches "$(sed -n 5p screen)" " DROPS/S .*DROPS"
check "and what devices receive and send" contains "$(sed -n 5p screen)" "  RX/S  TX/S  "
check "and names what it leaves out" matches "$(tail -n 1 screen)" "  hidden: .*PACKETS BYTES "
screen 60 24 .q >screen
check "one of 60 columns has what no block has claimed" matches "$(<screen)" " [0-9]+ unclaimed/s"
check "and the time that blocks take" contains "$(<screen)" "  NS/PKT   CPU%"
python3 -S "$tests/screen.py" 60 40 "" fbctl stats -w 0.2 -c 1 --time >screen
check "so has a table" matches "$(<screen)" $' [0-9]+ unclaimed/s.*\nNAME .*NS/PKT  CPU%\n'
python3 -S "$tests/screen.py" 60 40 "" fbctl stats >screen
check "the engine's counters have what fits" matches "$(<screen)" $'\nCPU +PACKETS +BYTES +CALLS +DROPS +UNCLAIMED\n'
check "and hide none" is "$(grep -c hidden screen)" 0
screen 80 24 "?" -n 3 >screen
check "a key shows the keys" contains "$(<screen)" "  q, Esc         quit"
screen 40 8 .q >screen
check "a small terminal shows a part" matches "$(tail -n 1 screen)" "^1-5/6  q end"
check "below the head, which is smaller there" matches "$(sed -n 2,3p screen)" "^BLOCK .*idle "
screen 110 24 iq >screen
check "a key hides idle blocks" matches "$(head -n 1 screen)" ", [0-9] of 6 blocks, idle hidden, "
for name in n10 n2; do fbctl add "$name" dummy; done
check "names are in the order of their numbers" is "$(fbctl top -b -n 1 -d 0.2 -o name n | grep -A 9 ^BLOCK | names cat)" \
	"lan0 lan1 n2 n10 "
for name in n10 n2; do fbctl rm "$name"; done
screen 110 12 $'/wa\rq' >screen
check "a filter is typed" matches "$(head -n 1 screen)" "1 of 6 blocks, wa, totals"
check "and is at work" matches "$(sed -n 6,7p screen)" "^wall .*50"
screen 110 12 "z.q" -d 0.3 >screen
check "totals count from when it is said" matches "$(<screen)" "total:   0 packets  0 B  0 calls  0 drops  0 unclaimed"
check "of blocks, too" matches "$(<screen)" "wall   bpf +0 +- +- +0 +0 +- +- +0 +0 +0"
check "in the tool only" contains "$(fbctl stats wall)" "filtered 50"

# --- How long blocks have packets ---

fbctl -b - <<-END
	add slow bpf
	bind slow sum
END
# A program of 4000 instructions: of so many it takes the last.
{
	for _ in {1..3999}; do echo "{ 0x4, 0, 0, 0x00000001 },"; done
	echo "{ 0x6, 0, 0, 0xffffffff },"
} >$fblock/slow
# flood SECONDS: 4000 packets a second, or as many as it can.
flood() {
	alice python3 -S -c '
import socket, sys, time
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("a0", 0))
end = time.monotonic() + int(sys.argv[1])
while time.monotonic() < end:
    for _ in range(20):
        out.send(bytes.fromhex("02000000000b02000000000a0800") + bytes(86))
    time.sleep(0.005)' "$1"
}
# while_flooded SECONDS COMMAND...: its output is in the file out.
while_flooded() {
	flood "$1" &
	pause 0.5
	"${@:2}" >out
	wait "$!" || :
}
while_flooded 4 fbctl -j stats -w 2 -c 1 --time
check "the packets of a block that is slow take longer" \
	is "$(value out 'b["slow"]["nanoseconds-per-packet"] > 2 * b["sum"]["nanoseconds-per-packet"]')" True
check "each block that had packets has its time" \
	is "$(value out '[n for n in sorted(b) if "nanoseconds-per-packet" in b[n]]')" "['lan0', 'mid', 'slow', 'sum', 'wall']"
check "the share is that of a second" \
	is "$(value out 'all(abs(f["cpu-percent"] - f["nanoseconds-per-packet"] * f["packets-per-second"] / 1e7) < 0.01 for f in b.values() if "cpu-percent" in f)')" True
check "all of them take no more than the machine has" \
	is "$(value out '0 < sum(f.get("cpu-percent", 0) for f in b.values()) < 100 * '"$(nproc)")" True
check "samples are a part of what came" \
	is "$(value out '0 < r["timing"]["packets"] <= min(1000 * (r["seconds"] + 1), r["engine"]["packets-per-second"] * r["seconds"] / 2 / r["timing"]["sample"] * 1.1 + 100)')" True
while_flooded 3 fbctl top -b -n 1 -d 1 -o ns
check "top has the times, and sorts by them" is "$(grep -A 1 ^BLOCK out | names cat)" "slow "
check "and says what they go by" matches "$(<out)" $'\ntime:    [0-9.]+ % of a CPU in all blocks  [0-9]+ packets? timed  \(1 in [0-9]+\)\n'
while_flooded 3 fbctl top -b -n 1 -d 1 -o cpu -r
check "by the share, the other way round" is "$(grep -A 9 ^BLOCK out | names cat | tr ' ' '\n' | tail -n 1)" slow
check "without it no packet is timed" is "$(fbctl top -b -n 1 -d 0.2 --no-time | grep -c -e time: -e NS/PKT || :)" 0
# probes COUNT: so many stand, until they are ended.
probes() {
	local probe
	probes=()
	for ((probe = 0; probe < $1; probe++)); do
		fbctl trace --from idle >/dev/null 2>"probe$probe" &
		probes+=("$!")
		wait_for 10 grep -q tracing "probe$probe"
	done
}
no_probes() { kill "${probes[@]}" && { wait "${probes[@]}" || :; }; }
probes 4
fbctl top -b -n 1 -d 0.2 >out
check "where the kernel has no probe, top says so" contains "$(<out)" $'\ntime: not measured: there are 4 probes already\n'
check "and shows all else" matches "$(<out)" "slow   bpf +0 +- +- +0 +0 +- +- +[0-9]+"
check "stats, too" is "$(fbctl stats slow -w 0.2 -c 1 --time | tail -n 1)" "time: not measured: there are 4 probes already"
check "and JSON" is "$(fbctl -j top -n 1 -d 0.2 | python3 -S -c 'import json, sys; print(json.load(sys.stdin)["timing"]["error"])')" \
	"there are 4 probes already"
fbctl -j top -n 2 -d 2 >out &
tool=$!
pause 1
no_probes
ends "$tool"
check "it measures when one is free again" is "$(value out '"error" in r["timing"]') $(grep -c already out)" "False 1"
probes 4
check "when top has ended, its probe is free" grep -q tracing probe3
no_probes
setpriv=$(command -v setpriv || :)
if [ -n "$setpriv" ]; then
	said=$(setpriv --bounding-set -all --inh-caps -all --reuid 65534 "$(command -v fbctl)" top -b -n 1 -d 0.2 2>&1 || :)
	check "who has no right sees the rest" matches "$said" "time: not measured: .*CAP_NET_ADMIN.*slow +bpf +0"
else
	skip "who has no right sees the rest" "there is no setpriv"
fi
fbctl -b - <<-END
	unbind slow sum
	rm slow
END

# --- Which blocks ---

check "several blocks, in their order" is "$(names fbctl show sum lan0 wall)" "sum lan0 wall "
check "one of them is not there" is "$(said fbctl show sum nothing)" \
	$'fbctl: show sum nothing: no block \'nothing\' (attribute \'name\')\nstatus 2'
check "by type" is "$(names fbctl show type=eth type=bpf)" "lan0 lan1 wall "
check "by what they are bound to" is "$(names fbctl show bound-to=mid)" "lan0 wall sum "
check "by both" is "$(names fbctl show bound-to=mid type=eth)" "lan0 "
check "by name and type" is "$(names fbctl show wall sum type=bpf)" "wall "
check "none of them" is "$(fbctl show wall type=eth)" ""
check "as JSON" is "$(fbctl -j show wall type=eth)" "[]"
check "stats, too" is "$(names fbctl stats bound-to=mid type=counter)" "sum "
check "bound to what is not there" is "$(said fbctl show bound-to=nothing)" \
	$'fbctl: show bound-to=nothing: no block \'nothing\' (attribute \'name\')\nstatus 2'
check "a filter that is none is named" is "$(said fbctl show typ=bpf)" \
	$'fbctl: show typ=bpf: \'typ=\' is no filter, and no block is called \'typ=bpf\'; the filters are type=TYPE and bound-to=NAME\nstatus 1'
fbctl add typ=bpf dummy
check "unless a block is called so" is "$(names fbctl show typ=bpf)" "typ=bpf "

# --- Devices ---

check "a device has its state and its MTU" matches "$(fbctl show lan0)" "link=up mtu=1500"
check "in JSON, too" contains "$(fbctl -j show lan0)" '"link":{"state":"up","mtu":1500}'
fbctl bind lan1 sum
alice ping -q -c 5 -i 0.002 -W 1 192.0.2.2 >/dev/null
check "what it receives and what it sends stand apart" is "$(fbctl stats lan1 | awk 'NR == 2 { print $1, $2, $3, $4 }')" "lan1 10 5 5"
check "in netlink, too" contains "$(fbctl -j stats lan1)" '"packets":10,"bytes":980,"entered":5,"entered-bytes":490'

# --- Many options ---

fbctl add spread multipath
for n in {0..63}; do
	echo "add end$n dummy"
	echo "bind spread end$n"
done | fbctl -b -
fbctl set spread port.7.weight=3
fbctl show spread >out
check "a block with 64 ports has a line for each" is "$(grep -Ec '^ +[0-9]+  end[0-9]+ ' out)" 64
check "with a head" contains "$(<out)" $'\n    port  to     weight  link  packets  bytes  rate  sessions  wanted'
check "its rates have a unit" matches "$(grep '^ *0  end0 ' out)" " 0bit .* 0bit +0$"
check "numbers have their columns" matches "$(<out)" $'\n       7  end7        3  (up|down) '
check "by their number" matches "$(tail -n 1 out)" "^      63  end63       -  (up|down) "
check "no line is endless" is "$(fbctl show | awk 'length > 120' | wc -l)" 0
check "all that it is bound to is there" contains "$(<out)" $'down: 64 blocks  strategy=session evicted=0 untracked=0 orphans=0 learnt=0\n    down: end0 end1 end2 '
check "stats has these, too" matches "$(fbctl stats spread | tail -n 1)" "^      63  end63  (up|down) "
check "and JSON has all of it" contains "$(fbctl -j show spread)" '{"key":"port.7.weight","value":"3","config":true}'
check "a large block that is bound to another is found by that" is "$(names fbctl show bound-to=end63)" "spread "
done_testing
