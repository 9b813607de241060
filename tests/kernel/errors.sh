# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What is refused: with an exit code, an error that names the culprit, and without any effect.

. "${0%/*}/../lib.sh"

load
ip link add lan0 type veth peer name far0
ip link add lan1 type veth peer name far1
ip link add br0 type bridge
ip link set lan1 master br0
devices=(lan0 lan1 br0 mac0 bond9 pair0)
vlink ethernet hook lan0
fbctl -b - <<-END
	add a dummy
	add b dummy
	add c dummy
	add t tee
	add f bpf
	bind a lan0
	bind b a
	subscribe c t
	set f program=@$top/examples/arp.txt
END
ip netns add red
ip -n red link add other0 type veth peer name other1
long=$(printf 'n%.0s' {1..32})
longer=$(printf 'n%.0s' {1..300})
remember

# --- Types and names ---

check_fails "an unknown type" 2 "unknown type 'nonsense'" fbctl add x nonsense
check_fails "a type that is nearly one" 2 "unknown type 'countr' (attribute 'type'); tip: a similar type exists: 'counter'" \
	fbctl add x countr
check_fails "the options of a type that is nearly one" 1 "types countr: unknown type 'countr'; tip: a similar type exists" \
	fbctl types countr
check_fails "a command that is nearly one" 1 "tip: a similar subcommand exists: 'show'" fbctl shw
check_fails "a type with an odd name" 2 "type '../../etc' has characters" fbctl add x ../../etc
check_fails "a type with an empty name" 2 "type '' is empty" fbctl add x ""
check_fails "a type with a long name" 2 "is longer than 31 bytes" fbctl add x "$long"
check_fails "a type that vlink makes" 2 "vlink ethernet hook" fbctl add x eth
check_fails "a name that is there" 2 "'a' exists already" fbctl add a dummy
check_fails "the name of a device's block" 2 "'lan0' exists already" fbctl add lan0 dummy
check_fails "a name of 32 characters" 2 "is longer than 31 bytes (attribute 'name')" fbctl add "$long" dummy
check_fails "a name of 300 characters" 2 "attribute 'name'" fbctl add "$longer" dummy
check_fails "an empty name" 2 "name '' is empty" fbctl add "" dummy
for name in . .. a/b "a b" $'a\tb' $'a\nb' $'a\x01' ä; do
	check_fails "the odd name $(printf '%q' "$name")" 2 "has characters that a name cannot have" \
		fbctl add "$name" dummy
done
check "a name of 31 characters is taken" fbctl add "${long#n}" dummy
fbctl rm "${long#n}"

# --- Wiring ---

check_fails "binding a block to itself" 2 "cannot bind 'c' to itself" fbctl bind c c
check_fails "binding what is bound so already" 2 "'b' is bound to 'a' already" fbctl bind b a
check_fails "binding to a block whose port is taken" 2 "ingress of 'a' is bound to 'b'" fbctl bind c a
check_fails "binding a block whose port is taken" 2 "egress of 'b' is bound to 'a'" fbctl bind b t
check_fails "binding a block that is not there" 2 "no block 'x' (attribute 'upper')" fbctl bind x a
check_fails "binding to a block that is not there" 2 "no block 'x' (attribute 'lower')" fbctl bind c x
check_fails "binding to a block with an odd name" 2 "no block 'a/b'" fbctl bind c a/b
check_fails "unbinding what is not bound" 2 "'c' is not bound to 'a'" fbctl unbind c a
check_fails "unbinding the wrong way round" 2 "'a' is not bound to 'b'" fbctl unbind a b
check_fails "unbinding a block that is not there" 2 "no block 'x'" fbctl unbind x a
check_fails "unbinding from a block that is not there" 2 "no block 'x'" fbctl unbind a x
check_fails "subscribing a block to itself" 2 "cannot subscribe 'c' to itself" fbctl subscribe c c
check_fails "subscribing twice" 2 "'c' is subscribed to 't' already" fbctl subscribe c t
check_fails "subscribing to what is not there" 2 "no block 'x' (attribute 'publisher')" fbctl subscribe c x
check_fails "subscribing what is not there" 2 "no block 'x' (attribute 'subscriber')" fbctl subscribe x c
check_fails "unsubscribing what is not subscribed" 2 "'t' is not subscribed to 'c'" fbctl unsubscribe t c
check_fails "removing a bound block" 2 "'b' is bound to 'a'" fbctl rm b
check_fails "removing a block that others are bound to" 2 "'a' is bound to" fbctl rm a
check_fails "removing a block that others are subscribed to" 2 "'c' is subscribed to 't'" fbctl rm t
check_fails "removing a block that is not there" 2 "no block 'x'" fbctl rm x
check_fails "removing the block of a device" 2 "vlink ethernet unhook lan0" fbctl rm lan0

# --- Options ---

check_fails "an option that the type does not have" 2 "type dummy has no option 'speed'" fbctl set a speed=1
check_fails "an option that is nearly one" 2 \
	"set f progam: type bpf has no option 'progam': it has program, direction (attribute 'option'); tip: a similar option exists: 'program'" \
	fbctl set f progam=1
batch() { fbctl -b - <<<"$1"; }
check_fails "a type that is nearly one, in a batch" 2 "-:2: add y: unknown type 'countr' (attribute 'type'); tip: a similar type exists: 'counter'" \
	batch $'add z dummy\nadd y countr'
check_fails "an option that is nearly one, of a block of the same batch" 2 "tip: a similar option exists: 'program'" \
	batch $'add z bpf\nset z progam=1'
graph() { fbctl save | sed "/^# end/d" && printf '%b# end\n' "$1"; }
applied() { graph "$1" >nearly.toml && fbctl apply nearly.toml; }
check_fails "a type that is nearly one, in a file" 2 "tip: a similar type exists: 'counter'" \
	applied '[blocks.z]\ntype = "countr"\n'
check_fails "an option that is nearly one, in a file" 2 "tip: a similar option exists: 'program'" \
	applied '[blocks.z]\ntype = "bpf"\noptions = { progam = "1" }\n'
check_fails "an option of a block that is not there" 2 "no block 'x'" fbctl set x program=1
check_fails "an option with a long name" 2 "attribute" fbctl set f "$long=1"
check_fails "a program that is no program" 2 "line 1 is not an instruction" fbctl set f program=nonsense
check_fails "a program with a bad line" 2 "line 2 is not an instruction" \
	fbctl set f $'program={ 0x6, 0, 0, 0 },\n{ 0x6, 0 },'
check_fails "a program that does not return" 2 "the kernel's checker refuses it" \
	fbctl set f 'program={ 0x28, 0, 0, 0x0000000c },'
check_fails "a program that jumps out of itself" 2 "the kernel's checker refuses it" \
	fbctl set f $'program={ 0x15, 9, 9, 0 },\n{ 0x6, 0, 0, 0 },'
check_fails "a program that divides by zero" 2 "the kernel's checker refuses it" \
	fbctl set f $'program={ 0x34, 0, 0, 0 },\n{ 0x6, 0, 0, 0 },'
check_fails "a program with another length than announced" 2 "1 instructions, not 2 as line 1 says" \
	fbctl set f $'program=2\n6 0 0 0'
for ((i = 0; i < 4097; i++)); do echo "6 0 0 0,"; done | tr -d '\n' | sed 's/^/4097,/; s/,$//' >large
check_fails "a program that is too long" 2 "more than 4096 instructions" fbctl set f program=@large
head -c 65001 /dev/zero | tr '\0' 1 >huge
check_fails "a value that is too long" 2 "option" fbctl set f program=@huge
head -c 70000 /dev/zero | tr '\0' 1 >huge
check_fails "a value that is sent in parts" 2 "line 1 is not an instruction" fbctl set f program=@huge
head -c 140000 /dev/zero | tr '\0' 1 >huger
write() { cat "$1" >"$2"; }
check_fails "a bad program through procfs" 1 "Invalid argument" write large "$fblock/f"
check_fails "a value that is too long through procfs" 1 "Argument list too long" \
	dd if=huger of="$fblock/f" bs=140000
check "the kernel's log says what was wrong with it" \
	contains "$(dmesg | tail -n 5)" "f: program: more than 4096 instructions"

# --- Devices ---

check_fails "hooking a device twice" 2 "lan0 is hooked already, by block 'lan0'" vlink ethernet hook lan0
check_fails "a missing device" 2 "no device 'nodev0' in this namespace" vlink ethernet hook nodev0
check_fails "a device with an odd name" 2 "no device '../x'" vlink ethernet hook ../x
check_fails "a device of another namespace" 2 "no device 'other0' in this namespace" vlink ethernet hook other0
check_fails "a bridge port" 2 "lan1 is a bridge port" vlink ethernet hook lan1
check_fails "the loopback device" 2 "lo is not an Ethernet device" vlink ethernet hook lo
fbctl add far0 dummy
remember
check_fails "a device with the name of a block" 2 "'far0' exists already" vlink ethernet hook far0
fbctl rm far0
ip link add link far0 name mac0 type macvlan mode bridge
remember
check_fails "a macvlan carrier" 2 "far0 is a macvlan carrier" vlink ethernet hook far0
ip link del mac0
ip link add bond9 type bond mode 1
ip link add pair0 type veth peer name pair1
ip link set pair0 master bond9
remember
check_fails "a bond port" 2 "pair0 is a bond port" vlink ethernet hook pair0
check_fails "giving back what is not hooked" 2 "far1 is not hooked" vlink ethernet unhook far1
check_fails "giving back a missing device" 2 "no device 'nodev0'" vlink ethernet unhook nodev0
check_fails "giving back a device that a block is bound to" 2 "'lan0' is bound to 'a'" vlink ethernet unhook lan0
check_fails "a subsystem that is not there" 2 "unknown vlink subsystem 'tokenring' (loaded: ethernet)" \
	vlink tokenring hook far1
check_fails "also for virtual devices" 2 "unknown vlink subsystem 'tokenring' (loaded: ethernet)" \
	vlink tokenring add v0 far1
check_fails "also to look at" 1 "unknown vlink subsystem 'tokenring'" vlink tokenring show
check_fails "a word that is no command" 1 "unrecognized subcommand 'tokenring'" vlink tokenring
check_fails "a virtual device with a pattern for a name" 2 "device name 'v%d' has a '%' (attribute 'ifname')" \
	vlink ethernet add v%d far1
check_fails "hooking a device as a block that is there" 2 "'a' exists already" vlink ethernet hook far1 --block a
check_fails "hooking a device as a block with an odd name" 2 "name 'a/b' has characters" \
	vlink ethernet hook far1 --block a/b
check_fails "a device of a number that none has" 2 "no device of index 4711" vlink ethernet hook --index 4711
check_fails "giving back the device of a block that has none" 2 "'a' stands for no device" \
	vlink ethernet unhook --block a
check_fails "giving back the device of a block that is not there" 2 "no block 'x' (attribute 'fb')" \
	vlink ethernet unhook --block x
check "a hooked device cannot become a bridge port" not ip link set lan0 master br0

# --- Rights ---

nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
check_fails "no privilege: add" 2 "Operation not permitted" nobody fbctl add x dummy
check_fails "no privilege: rm" 2 "Operation not permitted" nobody fbctl rm f
check_fails "no privilege: set" 2 "Operation not permitted" nobody fbctl set f program=
check_fails "no privilege: bind" 2 "Operation not permitted" nobody fbctl bind c b
check_fails "no privilege: unbind" 2 "Operation not permitted" nobody fbctl unbind b a
check_fails "no privilege: subscribe" 2 "Operation not permitted" nobody fbctl subscribe a t
check_fails "no privilege: unsubscribe" 2 "Operation not permitted" nobody fbctl unsubscribe c t
check_fails "no privilege: hook" 2 "Operation not permitted" nobody vlink ethernet hook far1
check_fails "no privilege: unhook" 2 "Operation not permitted" nobody vlink ethernet unhook lan0
check_fails "no privilege: writing a program" 2 "Permission denied" \
	nobody sh -c "echo >$fblock/f"
check "looking needs no privilege" nobody fbctl show
check_fails "root of a user namespace: add" 2 "Operation not permitted" unshare -Ur fbctl add x dummy
check_fails "root of a user namespace with a network of its own: add" 2 "Operation not permitted" \
	unshare -Urn fbctl add x dummy
check_fails "root of a user namespace with a network of its own: hook" 2 "Operation not permitted" \
	unshare -Urn vlink ethernet hook lo
check_fails "without CAP_NET_ADMIN: add" 2 "Operation not permitted" \
	setpriv --bounding-set -net_admin --inh-caps -net_admin fbctl add x dummy

# --- The command line ---

check_fails "no such command" 1 "unrecognized subcommand 'frobnicate'" fbctl frobnicate
check_fails "a missing word" 1 "<TYPE>" fbctl add x
check_fails "a word too many" 1 "unexpected argument 'y'" fbctl rm x y
check_fails "an option without a value" 1 "KEY=VALUE" fbctl set f program
echo frobnicate >commands
check_fails "a batch with a bad line" 1 "commands:1: unrecognized subcommand 'frobnicate'; usage: fbctl" \
	fbctl -b commands

# --- What no tool would send ---

fold python3 -S "$tests/raw.py"
check "nothing of all this has changed anything" is "$(state)" "$remembered"

done_testing
