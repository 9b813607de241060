# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Whole graphs and many changes at once: apply, save, batches, replace; also while packets pass.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
shown() { fbctl -j show "$1"; }
counted() { cat "$fblock/$1"; }
# ports NAME: the blocks on top of it, then those below, each in the order of the ports.
ports() { shown "$1" | grep -o '"direction":"[a-z]*","index":[0-9]*,"peer":[0-9]*,"peer-name":"[^"]*' |
	sed 's/.*direction":"\(.\).*"/\1:/' | tr '\n' ' '; }
# chain COUNT NAME [NUMBER]: a file with a chain of so many blocks; that of NUMBER is of no type.
chain() {
	awk -v count="$1" -v name="$2" -v bad="${3:-0}" 'BEGIN {
		print "bindings = ["
		for (i = 2; i <= count; i++) printf "  [\"%s%d\", \"%s%d\"],\n", name, i, name, i - 1
		print "]"
		for (i = 1; i <= count; i++)
			printf "[blocks.%s%d]\ntype = \"%s\"\n", name, i, i == bad ? "nonsense" : "dummy"
	}'
}
# timed WHAT COMMAND...: notes how long it took, for the end.
timed() {
	local start=$EPOCHREALTIME status=0
	"${@:2}" >said || status=$?
	echo "$1: $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) ms" >>times
	return "$status"
}

# --- A file, and back ---

cat >graph.toml <<-END
	# upper, lower
	bindings = [
	  ["t", "lan0"], ["x", "t"], ["c", "t"], ["f", "t"],
	  ["u", "f"], ["t", "d"], ["u", "c"], # the ports of u are not those of the order of the blocks
	]
	subscriptions = [ ["d", "c"], ["d", "lan0"] ]
	[devices.lan0]
	subsystem = "ethernet"
	[blocks]
	t.type = "tee"
	u = { type = "tee" }
	x.type = "dummy"
	[blocks.c]
	type = "counter"
	[blocks.d]
	type = "dummy"
	[blocks.f]
	type = "bpf"
	options.program = """
	{ 0x28, 0, 0, 0x0000000c },
	{ 0x15, 0, 1, 0x00000800 },
	{ 0x6, 0, 0, 0xffffffff },
	{ 0x6, 0, 0, 0x00000000 },
	"""
END
remember
check "a dry run says what it would do" contains "$(fbctl apply --dry-run graph.toml)" \
	"+ device lan0 ethernet"$'\n'"+ block t tee"
check "and does nothing" is "$(state)" "$remembered"
check "a file is applied" fbctl apply graph.toml
check "the ports of a block are in the order of the file" is "$(ports t)" "i:x i:c i:f e:lan0 e:d "
check "so they are at the other ends" is "$(ports u)" "e:f e:c "
check "the options are set" contains "$(fbctl -j show f)" '"key":"instructions","value":"4"'
check "the subscriptions are there" is "$(grep -c '^d dummy .* \[[0-9]* [0-9]* [0-9]*\]$' /proc/net/lana/fblocks)" 1
remember
check "applied again, it says that there is nothing to do" is "$(fbctl apply graph.toml)" "nothing to change"
check "also to programs" is "$(fbctl -j apply graph.toml)" "[]"
check "and changes nothing" is "$(state)" "$remembered"
fbctl save >saved.toml
check "what was saved changes nothing" is "$(fbctl apply saved.toml)" "nothing to change"
check "it is read from the standard input, too" is "$(fbctl apply - <saved.toml)" "nothing to change"
fbctl save again.toml
check "saved twice, it is the same" cmp saved.toml again.toml
remember
check_fails "an empty file does not take all apart" 1 "nothing was changed: /dev/null: it has no block and no device" \
	fbctl apply /dev/null
head -n -1 saved.toml >cut.toml
check_fails "nor does a saved one that is cut off" 1 "cut.toml:$(wc -l <cut.toml): it is cut off: the line '# end' is missing" \
	fbctl apply cut.toml
check "an empty file takes all apart if that is meant" fbctl apply --empty /dev/null
check "nothing is left" is "$(</proc/net/lana/fblocks)" ""
check "the saved file makes it again" fbctl apply saved.toml
fbctl save again.toml
check "to the letter" cmp saved.toml again.toml

# --- Differences ---

check "what changes need not be read" eval "fbctl apply --empty /dev/null | :; [ ! -s /proc/net/lana/fblocks ]"
fbctl apply saved.toml >changes
fbctl unbind x t
fbctl bind x t
check "ports in another order are put right" is "$(fbctl apply saved.toml)" \
	"~ binding c t"$'\n'"~ binding f t"
check "then they are" is "$(ports t)" "i:x i:c i:f e:lan0 e:d "
fbctl set f program=
check "an option that was taken out is set again" is "$(fbctl apply saved.toml)" "~ option f program: none -> (5 lines)"
check "JSON has the same" is "$(fbctl add y dummy && fbctl -j apply saved.toml)" \
	'[{"change":"remove","item":"block","name":"y","type":"dummy"}]'
sed 's/^type = "counter"/type = "bpf"/' graph.toml >other.toml
fbctl apply other.toml >changes
check "a block of another type is made anew, with its bindings" is "$(sort changes | tr '\n' ' ')" \
	"+ block c bpf - block c counter ~ binding c t ~ binding f t ~ binding u c ~ subscription d c "
check "in its place" is "$(ports t)" "i:x i:c i:f e:lan0 e:d "
ip link set lan0 down
ip link set lan0 name new0
fbctl save renamed.toml
check "a device that was renamed is saved with both names" contains "$(<renamed.toml)" 'ifname = "new0"'
check "which changes nothing" is "$(fbctl apply renamed.toml)" "nothing to change"
ip link set new0 name lan0
ip link set lan0 up
check "named as before, it is as before" is "$(fbctl apply other.toml)" "nothing to change"
sed 's/devices.lan0/devices.port/; s/"lan0"/"port"/; /subsystem/a ifname = "lan0"' other.toml >named.toml
check "a block is made to stand for a device of another name" contains "$(fbctl apply named.toml)" "+ device port ethernet"
check "then it does" contains "$(fbctl -j show port)" '"ifname":"lan0"'
check "and all is as the file says" is "$(fbctl apply named.toml)" "nothing to change"
fbctl apply other.toml >changes
check "and back" is "$(fbctl apply other.toml)" "nothing to change"
fbctl save >plain.toml
sed '/^\[devices.lan0\]/a options.unclaimed = "stack"' other.toml >stack.toml
change="~ option lan0 unclaimed: drop -> stack"
check "an option has what it was, and what it becomes" is "$(fbctl apply stack.toml --dry-run)" "$change"
check "in JSON" is "$(fbctl -j apply stack.toml --dry-run)" \
	'[{"change":"change","item":"option","name":"lan0","key":"unclaimed","old":"drop","value":"stack"}]'
check "when it is made, too" is "$(fbctl apply stack.toml)" "$change"
check "one that goes becomes what is declared" is "$(fbctl apply other.toml)" "~ option lan0 unclaimed: stack -> drop"
check "all is as it was" is "$(fbctl save)" "$(<plain.toml)"
remember

# --- What is refused ---

refused() { # NAME STATUS TEXT, the file on standard input
	cat >bad.toml
	check_fails "$1" "$2" "$3" fbctl apply bad.toml
}
refused "what is no TOML" 1 "apply: nothing was changed: bad.toml:2: " <<<$'\n[blocks.a'
refused "an unknown key" 1 "apply: nothing was changed: bad.toml:2: unknown key 'typ'" <<<$'[blocks.a]\ntyp = "dummy"'
refused "a binding of a block that is not there" 1 "bad.toml:3: the file has no block or device 'b'" \
	<<<$'blocks.a.type = "dummy"\nbindings = [\n["a", "b"]]'
refused "an unknown type" 2 "bad.toml:4: + block y nonsense: unknown type 'nonsense'" \
	<<<$'[blocks.x]\ntype = "dummy"\n\n[blocks.y]\ntype = "nonsense"'
refused "a missing device" 2 "bad.toml:1: + device nodev0 ethernet: no device 'nodev0'" \
	<<<'devices.nodev0.subsystem = "ethernet"'
refused "a type without such an option" 2 "bad.toml:3: ~ option x speed: type dummy has no option 'speed'" \
	<<<$'[blocks.x]\ntype = "dummy"\noptions.speed = "1"'
refused "a port too many" 2 "bad.toml:3: + binding c a: " \
	<<<$'blocks = { a.type = "dummy", b.type = "dummy", c.type = "dummy" }\nbindings = [ ["b", "a"],\n["c", "a"]]'
check_fails "a file that is not there" 1 "apply: nothing was changed: none.toml: No such file or directory" fbctl apply none.toml
check_fails "no privilege" 2 "Operation not permitted" \
	setpriv --reuid 65534 --regid 65534 --clear-groups fbctl apply --empty /dev/null
check_fails "saving to where nothing can be" 1 "save: /nodir/x: no file can be made beside it: No such file" fbctl save /nodir/x
check "nothing of all this has changed anything" is "$(state)" "$remembered"
echo '[blocks.x]
type = "dummy"
[blocks.y]
type = "nonsense"' >bad.toml
check "what fails prints no plan as if it were done" is "$(fbctl apply bad.toml 2>/dev/null || :)" ""
check_fails "the key of an option is said once" 2 "~ option e addr: 'x' " fbctl apply - <<-END
	[blocks.e]
	type = "icmp-echo"
	options.addr = "x"
END
printf '[blocks."\\u001b[2J\\u009b"]\ntype = "dummy"\n' >escape.toml
check "what a file says steers no terminal" contains "$(fbctl apply --dry-run escape.toml 2>&1 || :)" \
	'+ block \u{1b}[2J\u{9b} dummy'
mkdir full
mount -t tmpfs -o size=8k none full
fbctl save full/graph.toml
cp full/graph.toml kept.toml
head -c 8192 /dev/zero >full/zero 2>/dev/null || :
check_fails "saving on a full disk" 1 "save: full/graph.toml: " fbctl save full/graph.toml
check "leaves the file that was there" cmp full/graph.toml kept.toml
check "and nothing beside it" is "$(ls -A full)" "graph.toml"$'\n'"zero"
umount full
ln -s kept.toml link.toml
chmod 640 kept.toml
check "a link is saved through" fbctl save link.toml
check "and stays, as does the mode" is "$(readlink link.toml) $(stat -c %a kept.toml)" "kept.toml 640"
fbctl apply --empty /dev/null >/dev/null

# --- Batches ---

printf 'add a dummy\nadd b dummy\nbind b a\n' | fbctl -b -
printf 'unbind b a\nrm b\nadd b counter\nbind b a\nadd c tee\nsubscribe c b\n' >commands
check "a batch is one transaction, in which each line sees those before it" fbctl -b commands
check "all of it is done" contains "$(shown b)" '"type":"counter"'
remember
printf 'add d dummy\n\nunbind b a # yes\nrm nonexistent\nrm c\n' >commands
check_fails "a line that fails undoes those before it" 2 "fbctl: commands:4: rm nonexistent: no block" \
	fbctl -b commands
printf 'add d dummy\nadd e\n' >commands
check_fails "a line that is no command does, too" 1 "fbctl: commands:2: the following required" \
	fbctl -b commands
printf '\xef\xbb\xbfadd bom dummy\nrm bom\n' >commands
check "a byte order mark is taken in a batch" fbctl -b commands
printf '\xef\xbb\xbf{ 0x6, 0, 0, 0 },\n' >program
printf 'add bom bpf\nset bom program=@program\nrm bom\n' >commands
check "and in a program" fbctl -b commands
remember
printf 'add d dummy\nshow\n' >commands
check_fails "what changes nothing is refused" 1 "fbctl: commands:2: show: changes nothing" fbctl -b commands
printf 'ethernet hook lan0\nethernet hook nodev0\n' >commands
check_fails "vlink has transactions, too" 2 "vlink: commands:2: ethernet hook nodev0: no device" \
	vlink -b commands
printf 'add d dummy\nrm nonexistent\nadd e dummy\nshow e\n' >commands
check "with --force each line is a change of its own" contains "$(fbctl --force -b commands 2>&1 || :)" \
	"commands:2: rm nonexistent"
check "those that can be are done" contains "$(shown e)" '"name":"e"'
printf 'rm nonexistent\nshow\nadd g dummy\n' >commands
status=0
fbctl --force -b commands >/dev/full 2>/dev/full || status=$?
check "so they are where nothing can be written" contains "$(shown g)" '"name":"g"'
check "and the status says that something failed" is "$status" 2
fbctl apply --empty /dev/null >/dev/null

# --- Replacing a block ---

printf 'add old counter\nadd new counter\nadd f bpf\nadd t tee\nbind old t\nsubscribe old t\n' | fbctl -b -
idp() { shown "$1" | number idp; }
place=$(idp old)
remember
check_fails "a block that is bound takes nobody's place" 2 "'t' is bound" fbctl replace old t
check_fails "nor does one that is not there" 2 "no block 'x' (attribute 'new')" fbctl replace old x
check_fails "nor is one replaced" 2 "no block 'x' (attribute 'old')" fbctl replace x new
check_fails "a block of a type that cannot take the state" 2 "drop-state" fbctl replace old f
check "a block takes the place of another" fbctl replace old new
check "with its IDP" is "$(idp new)" "$place"
check "and its ports" is "$(ports new)" "e:t "
check "the other one is free" fbctl rm old
check "one of another type does, without the state" fbctl replace new f --drop-state
check "with the IDP" is "$(idp f)" "$place"
fbctl apply --empty /dev/null >/dev/null

# --- While packets pass ---

hook lan0 lan1
bridge c counter d dummy
fbctl save straight.toml
{
	sed -e 's/\["lan1", "d"\],/&["side", "d2"],/' straight.toml
	printf '[blocks.side]\ntype = "counter"\n[blocks.d2]\ntype = "tee"\n'
} >aside.toml
sed -e 's/\["lan1", "d"\],/["e", "d"], ["lan1", "e"],/' -e '$a [blocks.e]\ntype = "tee"' straight.toml >longer.toml
count=$(scale 300000)
before=$(received bob b0) was=$(sent bob b0)
ip netns exec alice "$tests/pktgen" a0 "$count" >pktgen.log 2>&1 &
load=$!
times=0
while kill -0 $load 2>/dev/null; do
	for file in aside longer straight; do fbctl apply $file.toml >changes; done
	times=$((times + 1))
done
sent_all() { wait "$load" || { cat pktgen.log && false; }; }
check "packets are sent while files are applied" sent_all
check "files are applied meanwhile" [ "$times" -gt 0 ]
diag "$((times * 3)) files during $count packets"
now=$(received bob b0)
check "every packet arrives" is "$((${now% *} - ${before% *}))" "$count"
answers=$(sent bob b0)
check "a block that does not change keeps its state" is "$(counted c)" \
	"$((count + ${answers% *} - ${was% *})) $((count * 60 + ${answers#* } - ${was#* }))"
check "and the last file is what runs" is "$(fbctl apply straight.toml)" "nothing to change"
fbctl apply --empty /dev/null >/dev/null

# --- Values ---

cat >words.toml <<'END'
bindings = [["e", "lan0"], ["m", "e"]]
[devices.lan0]
subsystem = "ethernet"
options.unclaimed = "drop"
options.batch = "off"
[blocks.e]
type = "icmp-echo"
options = { addr = "2001:DB8::1, 192.0.2.9", arp = "off", rate = "100/100", mac = "02:00:00:00:00:AA" }
[blocks.m]
type = "multipath"
options = { strategy = "session", expiry = "300", "port.0.weight" = "1", "port.0.capacity" = "10000kbit" }
[blocks.b]
type = "bpf"
options = { direction = "both", program = "{ 0x6, 0, 0, 0xffffffff }," }
END
check "options are set in words of the user's own" fbctl apply words.toml
check "defaults and other words are no change" is "$(fbctl apply words.toml)" "nothing to change"
check "what was saved of them is none, either" is "$(fbctl save saved.toml && fbctl apply saved.toml)" "nothing to change"
check "nor is what was written, when that was saved" is "$(fbctl apply words.toml)" "nothing to change"
fbctl apply --empty /dev/null >/dev/null

# --- Many blocks ---

many=$(scale 10000)
bad=$((many * 7 / 10))
unchanged() { is "$(cut -d ' ' -f 1,2,4- /proc/net/lana/fblocks)" "$blocks"; }
chain "$many" block >many.toml
check "$many blocks are applied" timed "apply of $many blocks" fbctl apply many.toml
check "they are there" is "$(grep -c '^block' /proc/net/lana/fblocks)" "$many"
blocks=$(cut -d ' ' -f 1,2,4- /proc/net/lana/fblocks)
check "they are applied again" timed "and again" fbctl apply many.toml
check "which changes nothing, and says so" is "$(<said)" "nothing to change"
check "they are saved" timed "save" fbctl save saved.toml
check "what was saved changes nothing" is "$(fbctl apply saved.toml)" "nothing to change"
check "nor has anything changed" unchanged
chain "$many" other "$bad" >bad.toml
line=$(sed -n '/nonsense/=' bad.toml)
check "an error in block $bad of $many names its line" contains "$(fbctl apply bad.toml 2>&1 >said || :)" \
	"fbctl: apply: nothing was changed: bad.toml:$((line - 1)): + block other$bad nonsense: unknown type 'nonsense'"
check "and leaves all as it was" unchanged
check "all of them go" timed "taking apart" fbctl apply --empty /dev/null
check "none is left" is "$(</proc/net/lana/fblocks)" ""
seq -f 'add block%.0f dummy' "$many" >commands
check "a batch of as many is carried out" timed "a batch of $many lines" fbctl -b commands
blocks=$(cut -d ' ' -f 1,2,4- /proc/net/lana/fblocks)
sed -i "s/block/other/; ${bad}s/dummy/nonsense/" commands
check "an error in line $bad names it" contains "$(fbctl -b commands 2>&1 || :)" \
	"fbctl: commands:$bad: add other$bad: unknown type 'nonsense'"
check "and nothing is done" unchanged
check "they go by the tests' own way, too" clean
mapfile -t took <times
diag "${took[@]}"

done_testing
