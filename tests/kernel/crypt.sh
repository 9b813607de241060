# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block crypt: that no key is ever shown, what is on the wire, what is dropped, and that hosts talk through it while keys
# change.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
# The options of a block that are keys, all of them shown as "secret".
keys() { fbctl -j show "$1" | grep -o '"[rt]x[.0-9]*key","value":"secret"' | cut -d '"' -f 2 | paste -sd ' '; }
key1=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
key2=ffeeddccbbaa99887766554433221100
key3=0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f1

# --- Options ---

check "the witness itself is right" is "$(python3 -S "$tests/gcm.py")" right
fbctl add k crypt
remember
while IFS='|' read -r bad why; do
	check_fails "refused: $bad" 2 "$why" fbctl set k "$bad"
done <<-END
	tx.key=$key1|tx.key: ID:KEY, a number up to 255
	tx.key=256:$key1|tx.key: ID:KEY, a number up to 255
	tx.key=1:${key1}00|tx.key: a key has 32 or 64 hexadecimal digits
	tx.key=1:${key1/0e/0x}|tx.key: a key has 32 or 64 hexadecimal digits
	tx.key=1:|tx.key: a key has 32 or 64 hexadecimal digits
	tx.key=1:00000000000000000000000000000000|tx.key: all of its bytes are the same
	tx.key=1:secret|tx.key: a saved graph has no keys
	tx.key=secret|tx.key: a saved graph has no keys
	rx.256.key=$key1|rx.256.key: a number up to 255
	rx.01.key=$key1|rx.01.key: a number up to 255
	rx.1.key=1:$key1|rx.1.key: a key has 32 or 64 hexadecimal digits
	rx.1.key=secret|rx.1.key: a saved graph has no keys
	rx.key=$key1|no option 'rx.key'
	encrypt=both|encrypt: egress or ingress
END
LANA_LOG=$PWD/log
export LANA_LOG
fbctl monitor >events &
monitor=$!
heard() { fbctl add probe dummy && fbctl rm probe && [ -s events ]; }
wait_for 10 heard
echo $key3 >key3
fbctl set k tx.key=1:$key1
fbctl set k rx.1.key=$key2
fbctl set k rx.2.key=@key3
remember
check_fails "a key is for one direction" 2 "rx.3.key: a key is for one direction, and this one encrypts" fbctl set k rx.3.key=$key1
check_fails "also if it is set the other way round" 2 "tx.key: a key is for one direction, and this one decrypts" \
	fbctl set k tx.key=9:$key3
fbctl set k rx.3.key=${key3/0f/1f}
fbctl set k rx.0.key=${key3/0f/2f}
remember
check_fails "a fifth key" 2 "rx.4.key: there are 4 keys: remove one first" fbctl set k rx.4.key=${key3/0f/3f}
check "what is set is shown as secret" is "$(keys k)" "tx.key rx.0.key rx.1.key rx.2.key rx.3.key"
check "but the number of the key that encrypts" contains "$(fbctl show k)" "tx.id=1 tx.key=secret"
fbctl set k rx.3.key=
fbctl set k rx.0.key=
check "keys go one by one" is "$(keys k)" "tx.key rx.1.key rx.2.key"
fbctl save saved.toml
printf 'set k encrypt=ingress\nset k tx.key=5:%s\n' $key1 | fbctl -b -
fbctl --dry-run apply saved.toml >plan
fbctl -j --dry-run apply saved.toml >>plan
check "a saved graph is not another one because of its keys" is "$(grep -c 'tx.key' plan)" 0
sed "s/\"rx.2.key\" *= *\"secret\"/\"rx.2.key\" = \"${key3/0f/4f}\"/" saved.toml >given.toml
fbctl -j --dry-run apply given.toml >>plan
fbctl apply given.toml >>plan
check "a key in a file is set" contains "$(<plan)" "rx.2.key"
fbctl rm k
remember
check_fails "a saved graph says that keys are to be given" 2 "a saved graph has no keys: give the key itself" fbctl apply saved.toml
sed "/secret/d" saved.toml >without.toml
fbctl apply without.toml >/dev/null
fbctl set k tx.key=1:$key1
fbctl set k rx.1.key=$key2
remember
check_fails "modules are not exchanged under keys that nobody can read" 1 "'k' has a key that nobody can read (tx.key)" fbctl upgrade
told() { [[ $(<events) = *tx.key* ]]; }
wait_for 10 told
kill $monitor
{
	fbctl show k
	fbctl -j show k
	fbctl -j stats k
	fbctl types crypt
	fbctl save -
	fbctl log
	cat log events plan /proc/net/lana/fblocks
	dmesg
} >shown 2>&1
check "the log tells that a key was set" contains "$(<log)" '"tx.key=secret"'
for key in $key1 $key2 $key3; do
	check "no key is shown anywhere: ${key:0:4}" not grep -qi "${key:8:16}" shown
done
unset LANA_LOG
check "the options are listed" matches "$(fbctl types crypt)" 'tx.key .*The key that encrypts'
clean

# --- What is on the wire, and what is dropped ---

for way in skbs frames; do
	about="$way: "
	if [ $way = frames ]; then for lan in lan0 lan1; do vlink ethernet hook $lan --xdp --yes; done; else hook lan0 lan1; fi
	bridge k crypt
	fold python3 -S "$tests/sealed.py" $way
	clean
done
about=

# --- Hosts, and keys that change under them ---

# Alice's packets go up: down encrypts them, and up decrypts them.
tunnel() {
	if [ "$1" = frames ]; then
		alice ethtool -K a0 tx off >/dev/null
		bob ethtool -K b0 tx off >/dev/null
		for lan in lan0 lan1; do vlink ethernet hook $lan --xdp --yes; done
	else
		hook lan0 lan1
	fi
	bridge down crypt wire counter up crypt
	fbctl -b - <<-END
		set down encrypt=ingress
		set down tx.key=1:$key1
		set down rx.1.key=$key2
		set up tx.key=1:$key2
		set up rx.1.key=$key1
	END
}
alice ethtool -K a0 tso on >/dev/null
bob ethtool -K b0 tso on >/dev/null
for way in skbs frames; do
	about="$way: "
	tunnel $way
	check "pings pass" ping_quietly alice 10 192.0.2.2
	check "in fragments" ping_quietly alice 3 192.0.2.2 -s 5000
	size=$((20000000 / $(scale 20)))
	bob python3 -S "$tests/tcp.py" receive 5001 >tcp.in &
	alice python3 -S "$tests/tcp.py" send 192.0.2.2 5001 $size >tcp.out
	wait $!
	check "TCP arrives whole" is "$(cat tcp.in)" "$(cat tcp.out)"
	still
	check "each packet that was encrypted was decrypted" is \
		"$(shown down encrypted) $(shown up encrypted)" "$(shown up decrypted) $(shown down decrypted)"
	check "and its length is 44 more" [ "$(shown wire bytes)" -gt "$((44 * $(shown wire packets) + size))" ]
	check "nothing was dropped" is "$(drops down filtered) $(drops up filtered) $(drops up malformed)" "0 0 0"

	# Keys, as their numbers tell: first who decrypts, then who encrypts, then the old one goes.
	before=$(shown up decrypted)
	ip netns exec alice ping -q -n -i 0.002 -c 500 -W 5 192.0.2.2 >ping.out &
	pinging=$!
	for id in 2 3 4 5; do
		new1=$(printf '%064x' $((id * 7919))) new2=$(printf '%032x' $((id * 104729)))
		fbctl set up rx.$id.key=$new1
		fbctl set down rx.$id.key=$new2
		fbctl -b - <<-END
			set down tx.key=$id:$new1
			set up tx.key=$id:$new2
		END
		pause 0.1
		fbctl set up rx.$((id - 1)).key=
		fbctl set down rx.$((id - 1)).key=
		pause 0.1
	done
	# Blocks in their places: without keys of their own they take over all; the session goes on.
	fbctl -b - <<-END
		add other crypt
		set other encrypt=ingress
		replace down other
	END
	fbctl add another crypt
	fbctl replace up another
	wait $pinging
	check "keys and blocks change, and no packet is lost" contains "$(<ping.out)" "500 received, 0% packet loss"
	check "which are counted on" [ "$(shown another decrypted)" -ge $((before + 500)) ]
	check "none was dropped" is "$(drops other filtered) $(drops another filtered)" "0 0"
	check "the keys are still there" is "$(keys another)" "tx.key rx.5.key"
	# The old keys are of no use.
	fbctl set other tx.key=1:$key1
	check "a key that the other end does not have" not ping_quietly alice 2 192.0.2.2 -W 0.2
	check "is none" is "$(shown another no-key)" 2
	clean
done
about=

done_testing
