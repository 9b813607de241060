# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Packets that are collected and go through the graph in batches: nothing else is different.

. "${0%/*}/../lib.sh"

load
hosts
devices+=(lan2)
ip -batch - <<-END
	link add lan2 type veth peer name b2 netns bob
	link set lan2 up
END
ip -n bob link set b2 up
mkdir /run/bpf
mount -t bpf none /run/bpf
python3 -S "$tests/bpfload.py" /run/bpf
# A veth has what bursts of packets need while a program is on it.
ip link set lan0 xdpdrv pinned /run/bpf/xdp-pass

# --- The option ---

hook lan0
fbctl set lan0 batch=on
check "the option is shown" contains "$(fbctl show lan0)" "batch=on"
check "and saved" contains "$(fbctl save)" 'batch = "on"'
remember
check_fails "another word" 2 "batch: on or off" fbctl set lan0 batch=yes
check_fails "packets in batches cannot go to Linux when no block takes them" 2 "exclude each other" \
	fbctl set lan0 unclaimed=stack
fbctl set lan0 batch=off
check "without the option it is not shown" not contains "$(fbctl save)" batch
fbctl set lan0 unclaimed=stack
remember
check_fails "nor the other way round" 2 "exclude each other" fbctl set lan0 batch=on
fbctl set lan0 unclaimed=
fbctl set lan0 batch=on
fbctl save >saved.toml
clean
fbctl apply saved.toml
check "a saved graph has it again" contains "$(fbctl show lan0)" "batch=on"
clean

# --- The packets ---

fold python3 -S "$tests/batch.py"
about="in batches: "
fold python3 -S "$tests/live.py" batch moves
about=

# --- What waits when its device goes ---

loads=()
send() { # DEVICE: frames, until it is gone
	while [ -e "/sys/class/net/$1" ] && [ ! -e stop ]; do
		python3 -S "$tests/burst.py" "$1" 100000 37 2>/dev/null || :
	done &
	loads+=($!)
}
quiet() {
	touch stop
	wait "${loads[@]}"
	loads=()
	rm stop
}
rm -f stop
send lan0
times=$(scale 20)
unhooked() {
	local i
	for ((i = 0; i < times; i++)); do
		hook lan0 || return
		fbctl -b - <<-END || return
			set lan0 batch=on
			add c counter
			bind c lan0
		END
		fbctl -b - <<-END || return
			unbind c lan0
			rm c
		END
		unhook lan0 || return
	done
}
check "a device is unhooked again and again while its packets wait" unhooked
hook lan0
fbctl set lan0 batch=on
unloaded() {
	local i
	for ((i = 0; i < times / 10 + 1; i++)); do
		unhook lan0 && unload && load && hook lan0 && fbctl set lan0 batch=on || return
	done
}
check "all is unloaded and loaded again meanwhile" unloaded
quiet
clean

deleted() {
	local i
	for ((i = 0; i < times / 10 + 1; i++)); do
		ip link add lan3 type veth peer name b3
		ip link set lan3 up
		ip link set b3 up
		ip link set lan3 xdpdrv pinned /run/bpf/xdp-pass
		hook lan3
		fbctl set lan3 batch=on
		send lan3
		pause 0.2
		ip link del lan3
		quiet
		not contains "$(fbctl list)" lan3 || return
	done
}
check "a device is deleted while its packets wait" deleted
vanished() {
	local i
	for ((i = 0; i < times / 10 + 1; i++)); do
		namespace room
		ip -n room link add lan3 type veth peer name b3
		ip -n room link set lan3 up
		ip -n room link set b3 up
		ip -n room link set lan3 xdpdrv pinned /run/bpf/xdp-pass
		ip netns exec room vlink ethernet hook lan3
		ip netns exec room fbctl set lan3 batch=on
		ip netns exec room python3 -S "$tests/burst.py" lan3 100000000 50 2>/dev/null &
		loads=($!)
		pause 0.2
		ip netns del room
		kill "${loads[@]}"
		wait "${loads[@]}"
		loads=()
	done 2>/dev/null
}
check "a namespace is deleted while packets wait in it" vanished
umount /run/bpf
rmdir /run/bpf

done_testing
