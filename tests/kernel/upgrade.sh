# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Other modules for a graph that runs, graphs in several files, and completions.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
said() { "$@" 2>&1 || :; }

# --- Upgrade ---

printf 'ethernet hook lan0\nethernet hook lan1\n' | vlink -b -
bridge c counter d dummy
ip netns add red
fbctl -n red add far counter
fbctl -n red set far packets=7
check "packets pass" ping_quietly alice 5 192.0.2.2
was=$(<"$fblock/c")
before=$(fbctl save)
said fbctl --dry-run upgrade >dry
check "a dry run says which modules" matches "$(<dry)" "^~ modules .*fb_counter.* lana, with the graphs of [0-9]+ network namespaces$"
check "it changes nothing" is "$(fbctl save)" "$before"
said fbctl upgrade >done
diag "$(<done)"
check "the modules are loaded anew, and the outage is told" matches "$(<done)" \
	"fb_counter.* lana: loaded anew; the graph was away for [0-9]+ ms, counters carried over: 2$"
check "really" contains "$(dmesg | tail -n 30)" "lana: core going down"
check "the graph is as before" is "$(fbctl save)" "$before"
check "the counter goes on" is "$(<"$fblock/c")" "$was"
check "the graph of another namespace is there" contains "$(fbctl -n red -j show far)" '"key":"packets","value":"7"'
check "packets pass again" ping_quietly alice 5 192.0.2.2
check "and are counted on top" is "$(cut -d ' ' -f 1 "$fblock/c")" "$((${was% *} + 10))"
check "the saved graphs are at hand" is "$(</run/lana/graph.toml)" "$before"

sniff-lana --name tap0 --seconds 999 >/dev/null 2>&1 &
sniff=$!
wait_for 20 grep -q '^tap0 ' /proc/net/lana/fblocks
check "a program with a socket is in the way" contains "$(said fbctl upgrade)" "'tap0' is a socket: end its program first"
kill $sniff
wait $sniff 2>/dev/null || :
wait_for 10 not grep -q '^tap0 ' /proc/net/lana/fblocks
ip link add spare0 type dummy
devices+=(spare0)
vlink ethernet add v0 spare0 7
check "so is a virtual device" contains "$(said fbctl upgrade)" "v0 is virtual, and would lose its addresses"
vlink ethernet rm v0
# A namespace without a name, which nobody finds.
before=$(fbctl save)
unshare -n bash -c 'fbctl add hidden dummy; echo ready; exec sleep 999' >hidden &
hidden=$!
wait_for 20 grep -q ready hidden
check "a graph that is not found is in the way" matches "$(said fbctl upgrade)" "all is as before: .*[Ii]n use"
check "and all is as before" is "$(fbctl save)" "$before"
kill $hidden
wait $hidden 2>/dev/null || :
check "an upgrade cannot be taken back" contains "$(said fbctl upgrade --confirm 5)" "the modules that were there are gone"
check "a counter is set back" fbctl -b - <<<$'set c packets=0\nset c bytes='
check "to nothing" is "$(<"$fblock/c")" "0 0"
check "not to what is no number" contains "$(said fbctl set c packets=x)" "packets: a number"
ip netns del red
clean

# --- Several files ---

mkdir graphs
printf 'bindings = [["b", "a"]]\n[blocks.a]\ntype = "tee"\n[blocks.b]\ntype = "tee"\n' >graphs/10-first.toml
printf '\n[blocks.c]\ntype = "counter"\noptions.packets = "5"\n' >graphs/20-second.toml
echo nonsense >graphs/README
check "a folder is a graph" is "$(fbctl apply graphs | tr '\n' ' ')" \
	"+ block a tee + block b tee + block c counter ~ option c packets=5 + binding b a "
printf '\n\n[blocks.b]\ntype = "dummy"\n' >graphs/30-third.toml
remember
check_fails "a block stands in one file" 1 "graphs/30-third.toml:3: 'b' stands in graphs/10-first.toml:4, too" \
	fbctl apply graphs
printf '[blocks.e]\ntype = "nonsense"\n' >graphs/30-third.toml
check_fails "an error names file and line" 2 "graphs/30-third.toml:1: + block e nonsense" fbctl apply graphs
rm graphs/*.toml
check_fails "a folder without files would be the empty graph" 1 "graphs: it has no block and no device" fbctl apply graphs
clean

# --- Completions ---

fbctl add blue counter
fbctl add green tee
completed() { LANA_COMPLETE=fish "$1" -- "$@" | cut -f 1 | tr '\n' ' '; }
check "blocks are completed" is "$(completed fbctl rm gr)" "green "
check "and types" contains "$(completed fbctl add x mult)" "multipath"
check "and options" is "$(completed fbctl set blue pa)" "packets= "
fbctl -b - <<-END
	add m multipath
	add c classify
	bind m blue
	bind m green
END
fbctl set c 'rule.10=dport=80 -> 1'
check "and those of ports, by their numbers" is "$(completed fbctl set m port.1.st)" "port.1.state= "
check "for each port, and the next" is "$(completed fbctl set m port. | tr ' ' '\n' | grep via | tr '\n' ' ')" \
	"port.0.via= port.1.via= port.2.via= "
check "with what they can be set to" is "$(completed fbctl set m port.0.state=)" "port.0.state=up port.0.state=down "
check "and those that a block has numbers for" is "$(completed fbctl set c ru)" "rule.10= rule.11= "
check "no option is called N" not contains "$(completed fbctl set m '')$(completed fbctl set c '')" .N
check "and devices" is "$(completed vlink ethernet hook lan)" "lan0 lan1 "
for shell in bash zsh fish; do
	check "the script for $shell asks the tool" contains "$(fbctl completions $shell)" LANA_COMPLETE
done
clean

done_testing
