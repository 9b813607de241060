# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Loading and unloading.

. "${0%/*}/../lib.sh"

log() { dmesg | sed -n 's/^\[[^]]*\] lana: /lana: /p'; }
loaded() { grep -q "^$1 " /proc/modules; }
module() { ls "$LANA_MODULES"/{lana-core,fb-modules}/"$1.ko" 2>/dev/null; }
devices=(lan0)

check "fbctl says what to do when LANA is not loaded" \
	contains "$(fbctl show 2>&1 || echo "status $?")" "modprobe lana"
check "fbctl ends with 2 when LANA is not loaded" \
	contains "$(fbctl show 2>&1 || echo "status $?")" "status 2"
check "a block's module does not load without the core" not insmod "$(module fb_dummy)"

# What of the kernel's kind a module was built for stands in it; the words are as long.
sed 's/\(vermagic=[^\x00]*\)mod_unload/\1preempt_rt/' "$(module lana)" >rt.ko
dmesg -C
check "modules are for a kernel with PREEMPT_RT or for one without it" not insmod rt.ko
check "and the kernel says what they are for" matches "$(dmesg)" "lana: version magic '[^']* preempt_rt"
insmod "$(module lana)"
check "the core says that it starts, and that it is up" \
	contains "$(log)" $'lana: bootstrapping core\nlana: core up and running'
check "/proc/net/lana has its files" ls /proc/net/lana/{fblocks,ppe,vlink,fblock}
check "the core does not load twice" not insmod "$(module lana)"
check "no type is loaded yet" not grep -q " yes " <(fbctl types)
check "those that are installed are listed" matches "$(fbctl types)" "tee +- +- +- +- +fb_tee +no +fbctl add"
check "with what makes their blocks" matches "$(fbctl types)" "eth +- .*fb_eth +no +vlink ethernet hook"
check "which of them are not loaded say how to see their options" \
	contains "$(fbctl types bpf)" "modprobe fb_bpf"

# By the aliases of the modules.
fbctl add a dummy
check "fbctl add loads the module of a type" loaded fb_dummy
ip link add lan0 type veth peer name far0
ip link set lan0 up
ip link set far0 up
vlink ethernet hook lan0
check "vlink ethernet loads the module of the subsystem" loaded fb_eth
check "modprobe finds a type by its alias" modprobe lana-fb-tee
check "the type is there then" matches "$(fbctl types)" "tee +dual"
insmod "$(module fb_counter)"
check "a module that was loaded by hand offers its type" matches "$(fbctl types)" "counter +dual"
check "a block's module does not load twice" not insmod "$(module fb_counter)"

check "the core cannot be unloaded while blocks' modules are loaded" not rmmod lana
check "a block's module cannot be unloaded while there is a block" not rmmod fb_dummy
check "nor while there is a device" not rmmod fb_eth
check "one without a block can be" rmmod fb_counter
check "its type is gone" not grep -q "counter *dual" <(fbctl types)
fbctl rm a
check "the module can be unloaded once its block is gone" rmmod fb_dummy
vlink ethernet unhook lan0
check "the device's module can be unloaded once it is given back" rmmod fb_eth
rmmod fb_tee
check "the core can be unloaded once no block's module is loaded" rmmod lana
check "it says that it goes" contains "$(log)" "lana: core going down"
check "/proc/net/lana is gone" not ls /proc/net/lana

# A block's module comes and goes with others in use, and while somebody makes blocks of it.
load
timeout 100 fbctl --force -b <(while echo "add racer counter"; do echo "rm racer"; done) >/dev/null 2>&1 &
racer=$!
for ((i = 0; i < $(scale 100); i++)); do
	rmmod fb_counter 2>/dev/null || :
	pause 0.01
done
kill $racer
wait $racer 2>/dev/null || :
check "unloading a module while its blocks are made and removed does no harm" fbctl show
clean
unload

hurry
cycles=80
[ -z "${LANA_LONG:-}" ] || cycles=200
fold python3 -S "$tests/cycle.py" $cycles

done_testing
