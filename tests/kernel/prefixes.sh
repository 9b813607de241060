# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Values of options that are longer than a message, as lists of very many prefixes have them: by netlink, and by fbctl.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
hook lan0

fold python3 -S "$tests/prefixes.py"

# --- By fbctl ---

count=100000
[ -z "${LANA_LONG:-}" ] || count=1000000
case ${LANA_LANE:-uml} in uml-kasan | uml-debug) count=$((count / 5)) ;; esac
python3 -S "$tests/prefixes.py" list $((count / 10)) >tenth.txt
python3 -S "$tests/prefixes.py" list $count >list.txt
# in_time BLOCK KEY: sets the list in tenth.txt, and takes it back; $tenth is how many milliseconds that took. One that is ten
# times as long may take 30 times as long: linear says whether $took is that.
in_time() {
	begin=$(date +%s%N)
	fbctl set "$1" "$2=@tenth.txt"
	tenth=$((($(date +%s%N) - begin) / 1000000))
	fbctl set "$1" "$2="
}
linear() { [ $took -lt $((tenth * 30)) ]; }
count=$(tr , '\n' <list.txt | wc -l)
size=$(($(wc -c <list.txt) - 1))
fbctl add c classify
fbctl set c 'rule.0=src=@7 -> 1'
in_time c prefixes.7
fbctl set c prefixes.7=::/0
# Memory that is free, or would be without files.
free() { awk '/^(MemFree|Cached)/ { sum += $2 } END { print sum * 1024 }' /proc/meminfo; }
before=$(free)
begin=$(date +%s%N)
check "a list of $count prefixes comes from a file" fbctl set c prefixes.7=@list.txt
took=$((($(date +%s%N) - begin) / 1000000))
sleep 1
echo "# bytes of memory for each prefix: $(((before - $(free)) / count))"
check "it takes $took ms, a tenth of it $tenth ms" linear
check "fbctl show tells how long it is" contains "$(fbctl show c)" "($size bytes)"
check "so does JSON" contains "$(fbctl -j show c)" "\"key\":\"prefixes.7\",\"config\":true,\"size\":$size"
begin=$(date +%s%N)
check "it is saved" fbctl save saved.toml
echo "# fbctl save: $((($(date +%s%N) - begin) / 1000000)) ms"
check "to the byte" grep -qF "\"$(head -c 60000 list.txt)" saved.toml
check "all of it" is "$(sed -n 's/^options."\?prefixes.7"\? = "\(.*\)"$/\1/p' saved.toml | md5sum)" "$(md5sum <list.txt)"
fbctl rm c
check "apply makes it again" fbctl apply saved.toml --yes
check "and there is nothing left to do" contains "$(fbctl apply saved.toml --dry-run 2>&1; echo .)" "."
fbctl save again.toml
check "it is the same" cmp saved.toml again.toml
{ cat list.txt; echo '10.0.0.1/8'; } >bad.txt
remember
check_fails "a bad prefix at its end" 2 "'10.0.0.1/8' has bits behind its prefix (attribute 'option')" fbctl set c prefixes.7=@bad.txt
remember
check_fails "one of many changes" 2 "-:2: set c prefixes.8: '10.0.0.1/8' has bits" fbctl -b - <<-END
	set c prefixes.7=@list.txt
	set c prefixes.8=@bad.txt
	set c default=2
END
remember
check_fails "a later change that fails" 2 "-:3: set c default" fbctl -b - <<-END
	set c prefixes.7=@list.txt
	set c prefixes.8=@list.txt
	set c default=up
END
check "who may not see the configuration does not see its length" not contains \
	"$(unshare -U fbctl -j show c)" '"size"'

# --- One by one ---

fbctl -b - <<-END
	set c prefixes.1+=10.0.0.0/8,2001:db8::/32
	set c 'prefixes.1+=10.0.0.0/9 10.0.0.0/8'
	set c prefixes.1-=2001:db8::/32
END
check "prefixes are added and removed" contains "$(fbctl -j show c)" '"key":"prefixes.1","value":"10.0.0.0/8,10.0.0.0/9"'
remember
check_fails "one that is not there" 2 "prefixes.1-: '10.0.0.0/10' is not in the list" fbctl set c 'prefixes.1-=10.0.0.0/9,10.0.0.0/10'
remember
check_fails "one of a list that is not there" 2 "'::/0' is not in the list" fbctl set c prefixes.2-=::/0
remember
check_fails "a bad one" 2 "prefixes.1+: '10.0.0.0/33' is longer than an address" fbctl set c prefixes.1+=10.0.0.0/33
fbctl set c 'prefixes.1-=10.0.0.0/9 10.0.0.0/8'
check "a list without prefixes is gone" not contains "$(fbctl -j show c)" '"prefixes.1"'
begin=$(date +%s%N)
check "one more in a long list" fbctl set c prefixes.7+=192.0.2.77
check "takes $((($(date +%s%N) - begin) / 1000000)) ms" true
fbctl set c prefixes.7-=192.0.2.77
fbctl save again.toml
check "and without it, it is as before" cmp saved.toml again.toml
clean

# --- A table of routes ---

tr , '\n' <list.txt | awk '{ print $1 " via 198.51.100." (NR * 7 % 50 + 1) " -> 1" }' >routes.txt
head -n $((count / 10)) routes.txt >tenth.txt
fbctl add r route
in_time r routes
before=$(free)
begin=$(date +%s%N)
check "a table of $count routes to 50 next hops comes from a file" fbctl set r routes=@routes.txt
took=$((($(date +%s%N) - begin) / 1000000))
sleep 1
echo "# bytes of memory for each route: $(((before - $(free)) / count))"
check "it takes $took ms, a tenth of it $tenth ms" linear
check "fbctl show tells how long it is" contains "$(fbctl show r)" "routes=($(($(wc -c <routes.txt) - 1)) bytes)"
fbctl save saved.toml
check "it is saved, to the byte" is "$(sed -n 's/^options."\?routes"\? = "\(.*\)"$/\1/p' saved.toml | md5sum)" \
	"$(paste -sd , routes.txt | md5sum)"
check "there is nothing to change" is "$(fbctl --dry-run apply saved.toml)" "nothing to change"
begin=$(date +%s%N)
fbctl set r 'routes+=192.0.2.0/24 via 203.0.113.9 -> 2'
check "a route is changed" contains "$(fbctl save)" "192.0.2.0/24 via 203.0.113.9 -> 2"
check "takes $((($(date +%s%N) - begin) / 1000000)) ms" true
fbctl set r 'routes-=192.0.2.0/24'
check "and removed" not contains "$(fbctl save)" "192.0.2.0/24 via"
remember
check_fails "more next hops than there can be" 2 "more than 2048 different next hops" fbctl set r \
	routes="$(for one in $(seq 0 2048); do echo "10.$((one / 256)).$((one % 256)).0/24 via 10.$((one / 256)).$((one % 256)).1 -> 0"; done)"
clean

devices=(lan1)
done_testing
