# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Blocks of third parties, which tests/build-external has built on the host.

. "${0%/*}/../lib.sh"

built external tests/build-external
built=$LANA_MODULES/external
ko() { echo "$built/$1/build/${LANA_MODULES##*/}/fb_$2.ko"; }
load

check "a block built outside of the tree loads" insmod "$(ko sample sample)"
check "its type is listed" contains "$(fbctl types)" sample
check "a block of it can be made" fbctl add s sample
check "its option can be set" fbctl set s rate=4
check "its option is shown" contains "$(fbctl show s)" "rate=4"
check "its file shows the option" is "$(cat "$fblock/s")" 4
remember
check_fails "it refuses a bad value in its own words" 2 "rate: a number from 1 on" \
	fbctl set s rate=0
check_fails "it refuses an option that it does not have" 2 "no option 'speed'" \
	fbctl set s speed=1

# What a block hears, as many as there are: each event once.
events() { fbctl show s | grep -o 'events=[0-9]*'; }
fbctl -b - <<-END
	add u dummy
	add v dummy
END
fbctl bind u s
check "a block hears that one is bound on top of it" is "$(events)" events=1
fbctl bind s v
check "a block hears that it is bound on top of one" is "$(events)" events=2
fbctl subscribe s u
fbctl set v none=1 2>/dev/null || :
check "a subscriber hears of its own subscription, and of no failure" is "$(events)" events=3
fbctl unbind u s
check "a block hears once, though bound and subscribed, that one is unbound" is "$(events)" events=4
fbctl unbind s v
check "a block hears that it is unbound" is "$(events)" events=5
fbctl unsubscribe s u
fbctl rm u
check "a block hears nothing of those it has left" is "$(events)" events=6
fbctl rm v

hosts
neighbours
hook lan0
fbctl -b - <<-END
	bind s lan0
	add c counter
	bind c s
END
ping_quietly alice 40 192.0.2.2 -W 0.01 >/dev/null || :
read -r packets _ < <(sent alice a0)
passed=$(number packets < <(fbctl -j stats c))
# Each CPU counts for itself, so each may keep up to three.
check "packets pass it as its author wrote" \
	[ "$passed" -le $((packets / 4)) -a "$passed" -gt $((packets / 4 - $(nproc))) ]
check "what it drops is counted" is "$(drops s filtered)" $((packets - passed))
check "its module stays while there is a block" not rmmod fb_sample
clean
check "its module goes when there is none" rmmod fb_sample

check "a block that new-block has made loads" insmod "$(ko made made)"
check "and can be made" fbctl add m made
fbctl rm m
check "and goes" rmmod fb_made

# --- The block of the documentation ---

check "the documentation's block loads" insmod "$(ko bucket bucket)"
hook lan0
fbctl -b - <<-END
	add b bucket
	add c counter
	bind b lan0
	bind c b
END
pass() { fbctl -j stats c | grep -o '"packets":[0-9]*' | head -n 1 | cut -d: -f2; }
alice "$tests/pktgen" a0 100
check "without a rate all pass" is "$(pass) $(drops b filtered)" "100 0"
remember
for bad in rate=-1 rate=10000001 rate=x burst=0 burst=1000001; do
	check_fails "the documentation's block refuses $bad" 2 "${bad%=*}: a number from" fbctl set b "$bad"
done
# None comes while this is going on.
fbctl set b rate=1
fbctl set b burst=10
sleep 1
alice "$tests/pktgen" a0 100
passed=$(($(pass) - 100))
check "a burst passes, and what comes beyond it is dropped: $passed" test "$passed" -ge 10 -a "$passed" -le 15
check "what is dropped is counted" is "$(drops b filtered)" $((100 - passed))
check "as is what passes" contains "$(fbctl show b)" "passed=$((100 + passed))"
fbctl add other bucket
fbctl set other rate=1
fbctl set other burst=10
fbctl replace b other
alice "$tests/pktgen" a0 100
check "a block that replaces it has its bucket" test $(($(pass) - 100 - passed)) -le 6
fbctl rm b
clean
check "its module goes" rmmod fb_bucket

# --- A block that reads headers ---

for test in ports::tests::ports_pass ports::list::tests::the_option_is_declared; do
	check "a block outside of the tree has tests on the host: $test" grep -q "^test $test ... ok$" "$built/gate.log"
done
check "they pass" is "$(tail -n 1 "$built/gate.log")" passed
check "they find what is wrong" grep -q "^test ports::tests::ports_pass ... FAILED$" "$built/wrong.log"
check "and say so" is "$(tail -n 1 "$built/wrong.log")" failed
check "the same block loads" insmod "$(ko gate gate)"
hook lan0
fbctl -b - <<-END
	add g gate
	add c counter
	bind g lan0
	bind c g
	set g ports=7,9
END
alice "$tests/pktgen" a0 10
check "packets to one of its ports pass" is "$(pass) $(drops g filtered)" "10 0"
fbctl set g ports=7
alice "$tests/pktgen" a0 10
check "others do not" is "$(pass) $(drops g filtered)" "10 10"
remember
check_fails "it refuses a port that is none" 2 "ports: up to 8 ports, such as 53,443" fbctl set g ports=65536
clean
check "its module goes" rmmod fb_gate

# --- A block that fails, and that shows too much ---

check "a block that fails where it is told to loads" insmod "$(ko odd odd)"
fbctl -b - <<-END
	add o odd
	add d1 dummy
	add d2 dummy
	bind o d1
	set o ports=1
END
remember
check_fails "what a block says when a change is made reaches the user" 2 "bind o d2: 'o': port 2 is one too many" \
	fbctl bind o d2
printf 'add x dummy\nbind o d2\n' >commands
check_fails "also of a batch" 2 "'o': port 2 is one too many" fbctl -b commands
fbctl save odd.toml
sed 's/\["o", "d1"\],/&["o", "d2"],/' odd.toml >odder.toml
check_fails "and of a file" 2 "'o': port 2 is one too many" fbctl apply odder.toml
check "an option as long as can be is set" fbctl set o config=65000
check "and shown" is "$(fbctl -j show o | grep -o '7*' | head -n 1 | wc -c)" 65001
remember
check_fails "a longer one is not" 2 "option 'config' would have 65001 bytes, 65000 are the most" fbctl set o config=65001
fbctl add p odd
remember
check_fails "nor is it in a batch" 2 "would have 70000 bytes" fbctl -b <(echo "set p config=70000")
fbctl rm p
fbctl set o note=65001
remember
check "what only shows, and is too long, is said to be missing" contains "$(fbctl show)" "(more than can be shown)"
check "also to programs" contains "$(fbctl -j show o)" '"partial":true'
check "the block is in the graph" contains "$(fbctl graph)" '"o"'
check "and in the counters" contains "$(fbctl stats)" "o "
check_fails "no file is saved without it" 2 "save: block 'o' cannot be read whole: it has more than can be shown" fbctl save
check_fails "nor is one applied" 2 "block 'o' cannot be read whole" fbctl apply odd.toml
clean
check "its module goes" rmmod fb_odd

dmesg -C
check "a block built against another core is refused" not insmod "$(ko other sample)"
check "because of symbols that this core does not have" contains "$(dmesg)" "Unknown symbol"
check "and leaves no type" not contains "$(fbctl types)" sample

# What the build says of blocks that can panic, at the lines below their marks.
while IFS=: read -r file line mark; do
	why=${mark#*//~ }
	where=/$file:$((line + 1)):
	# Of a function that core has inlined, the line is core's.
	case $why in "core: "*) why=${why#core: } where=/core/src/ ;; esac
	check "a block that can panic is not built: $why ($file:$((line + 1)))" \
		grep -q "$where.*: $why\$" "$built/panics.log"
done < <(cd "$built/panics" && grep -n '//~ ' ./*.rs | sed 's|^./||')
check "nor is one that takes too much of the stack" \
	grep -q "fb_stack::.* takes 20[0-9]* bytes of the stack, 1536 are the most" "$built/panics.log"
check "and no module is there" not compgen -G "$built/panics/build/${LANA_MODULES##*/}/*.ko"

done_testing
