# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Writing to a block's file in procfs: all that a program writes to an open file is one value.

. "${0%/*}/../lib.sh"

load
fbctl add f bpf
fold python3 -S "$tests/writers.py" f "$(scale 4096)"

# --- Programs that people use ---

hosts="host 192.0.2.1"
for i in 2 3 4 5 6 7 8 9 10; do hosts+=" or host 192.0.2.$i"; done
tcpdump -y EN10MB -dd "$hosts" 2>/dev/null >want || :
sed -i 's/^{ 0x0*\([0-9a-f]\)/{ 0x\1/' want
check "a filter for ten hosts is longer than a buffer of stdio" [ "$(wc -c <want)" -gt 1024 ]
loads() { # NAME COMMAND
	echo "{ 0x6, 0, 0, 0 }," >"$fblock/f"
	check "$1" eval "$2"
	check "that loads all of it" cmp want "$fblock/f"
}
loads "tcpdump -dd" "tcpdump -y EN10MB -dd '$hosts' >'$fblock/f'"
loads "tcpdump -ddd" "tcpdump -y EN10MB -ddd '$hosts' >'$fblock/f'"
loads cat "cat want >'$fblock/f'"
loads "cat, appending" "cat want >>'$fblock/f'"
loads cp "cp want '$fblock/f'"
loads tee "tee '$fblock/f' <want"
loads "dd, byte by byte" "dd if=want of='$fblock/f' bs=1"
loads "dd in blocks" "dd if=want of='$fblock/f' bs=512"
loads "a shell, line by line" "while read -r line; do echo \"\$line\"; done <want >'$fblock/f'"
loads "printf" "printf '%s\n' \"\$(<want)\" >'$fblock/f'"
loads "sed -u" "sed -u '' want >'$fblock/f'"
loads "Python" "python3 -S -c 'open(\"$fblock/f\", \"w\").write(open(\"want\").read())'"
loads "two commands that share a file" "{ head -n 7 want; sed 1,7d want; } >'$fblock/f'"

{ echo 4096 && yes '32 0 0 4' | head -n 4095 && echo '6 0 0 0'; } >long
check "the longest program there can be" eval "cat long >'$fblock/f'"
check "is shown" contains "$(fbctl show f)" instructions=4096
cat want >"$fblock/f"

# --- What is refused ---

remember
check_fails "a bad program" 1 "Invalid argument" eval "echo nonsense >'$fblock/f'"
check_fails "one without the end of its line" 1 "Invalid argument" eval "printf nonsense >'$fblock/f'"
check_fails "one that the kernel's checker refuses" 1 "Invalid argument" \
	eval "printf '{ 0x34, 0, 0, 0 },\n{ 0x6, 0, 0, 0 },\n' >'$fblock/f'"
printf '1\n6 0 0 0\n6 0 0 0\n' >more
check_fails "one of another length than it says" 1 "Invalid argument" eval "cat more >'$fblock/f'"
: >"$fblock/f"
check "opening the file changes nothing" is "$(state)" "$remembered"
echo >"$fblock/f"
check "an empty line takes the program out" is "$(<"$fblock/f")" ""

# --- A block that goes while its file is open ---

exec 3>"$fblock/f"
cat want >&3
check "a block can be removed while its file is open" fbctl rm f
check "so can its module" rmmod fb_bpf
check "nothing is written then" not eval "echo >&3"
exec 3>&-
fbctl add f bpf
check "what was written does not come back" is "$(<"$fblock/f")" ""

done_testing
