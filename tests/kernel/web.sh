# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Pictures, and the page of fbctl web: who is answered, what it tells, what it changes.

. "${0%/*}/../lib.sh"

load
ip link add lan0 type veth peer name far0
devices=(lan0)
lan() { fbctl -j graph | grep -o '"state":"[^"]*"'; }

# --- Pictures ---

hook lan0
check "a device that is down is shown as such" is "$(lan)" '"state":"down"'
ip link set lan0 up
check "one without a carrier, too" is "$(lan)" '"state":"no-carrier"'
namespace far
ip link set far0 netns far
ip -n far link set far0 up
check "and one that is up" is "$(lan)" '"state":"up"'
printf '%s\n' "add t tee" "add a counter" "add b dummy" "bind t lan0" "bind b t" "bind a t" | fbctl -b -
fbctl graph svg >picture
check "an SVG is XML" python3 -S -c 'import xml.dom.minidom as m; m.parse("picture")'
check "a browser can zoom it" not contains "$(<picture)" "max-width"
check "it has the device with its state" contains "$(<picture)" 'class="device up"'
check "ports have their numbers" is "$(grep -o 'class="port".*' picture | sed 's/.*>\([0-9]*\)<.*/\1/' | tr '\n' ' ')" "1 0 "
check "port 0 is on the left" test "$(sed -n 's/.*class="port" x="\([0-9]*\).*>0<.*/\1/p' picture)" -lt \
	"$(sed -n 's/.*class="port" x="\([0-9]*\).*>1<.*/\1/p' picture)"
check "JSON has the numbers of the ports" contains "$(fbctl graph json)" '{"upper":"b","lower":"t","egress":0,"ingress":0}'
fbctl graph svg -w 0.5 >picture &
rates=$!
pause 0.2
wait "$rates"
check "rates are of the time that was asked for" matches "$(<picture)" "rates over 0\.[5-9] s"
check "a time that makes no sense is named" contains "$(fbctl graph -w x 2>&1)" "invalid value 'x' for '--window <SECONDS>'"
ip netns add red
fbctl -n red add x dummy
check "the namespace is named" contains "$(fbctl -n red graph svg)" "namespace red · 1 block · 0 bindings"
awk 'BEGIN { print "add big tee"; for (i = 0; i < 140; i++) print "add f" i " counter\nbind f" i " big\nadd g" i " dummy\nbind g" i " f" i }' |
	fbctl -n red -b -
fbctl -n red graph svg >picture
check "300 blocks are folded into a picture that is at most three times as wide as high" \
	test "$(sed -n '1s/^<svg .* width="\([0-9]*\).*/\1/p' picture)" -lt \
	$((3 * $(sed -n '1s/^<svg .* height="\([0-9]*\).*/\1/p' picture)))
ip netns del red

# --- The page ---

ip link set lo up
fold python3 -S "$tests/web.py"
fbctl web --listen 0 >url 2>errors &
web=$!
wait_for 10 test -s url
check "the URL is on the loopback, with a token" matches "$(<url)" '^http://127\.0\.0\.1:[0-9]+/\?token=[0-9a-f]{32}$'
port=$(sed 's/.*:\([0-9]*\)\/.*/\1/' url)
check_web() { local status=0; fbctl web --listen "$1" 2>&1 || status=$?; echo "status $status"; }
check "an address that is taken is named" is "$(check_web "127.0.0.1:$port")" \
	$'fbctl: web: 127.0.0.1:'"$port"$': Address already in use\nstatus 1'
check "one that makes no sense, too" contains "$(check_web nowhere)" "invalid value 'nowhere' for '--listen <ADDRESS:PORT>'"
kill "$web"
wait "$web" || :
clean
fbctl web --listen 0 >url 2>errors &
web=$!
wait_for 10 test -s url
unload
status=0
wait "$web" || status=$?
check "when lana is unloaded the page ends" is "$status $(<errors)" "2 fbctl: web: lana was unloaded"
load
done_testing
