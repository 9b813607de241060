# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# fbctl metrics: OpenMetrics as another parser reads it, by pipe, by HTTP, and for a socket of systemd.

. "${0%/*}/../lib.sh"

said() { "$@" 2>&1 >/dev/null </dev/null || echo "status $?"; }
# http [METHOD] PATH: status, type and body of what port 9526 answers.
http() {
	local method=GET
	[ $# = 1 ] || { method=$1 && shift; }
	python3 -S - "$method" "$1" <<-'END'
		import http.client, sys
		c = http.client.HTTPConnection("127.0.0.1", 9526, timeout=20)
		c.request(*sys.argv[1:])
		a = c.getresponse()
		sys.stdout.write(f"{a.status} {a.getheader('Content-Type')}\n{a.read().decode()}")
	END
}
ip link set lo up

check "without LANA it says so" is "$(said fbctl metrics)" \
	$'fbctl: metrics: lana is not loaded (modprobe lana)\nstatus 2'
check "by HTTP, too" is "$(printf 'GET /metrics HTTP/1.1\r\n\r\n' | fbctl metrics --inetd | tr -d '\r' | sed -n '1p;$p')" \
	$'HTTP/1.1 503 Service Unavailable\nlana is not loaded (modprobe lana)'

load
hosts
neighbours
ip link add p0 type veth peer name p1
ip link set p0 up
ip link set p1 up
devices+=(p0)
hook lan0 lan1 p0 p1
odd='odd"\name'
fbctl -b - <<-END
	add t tee
	add f bpf
	add c counter
	add e icmp-echo
	add m multipath
	bind t lan0
	bind f t
	bind c t
	bind e t
	bind lan1 m
	bind m p0
	bind m p1
END
fbctl add "$odd" dummy
echo "{ 0x6, 0, 0, 0x00000000 }," >$fblock/f
alice ping -q -c 20 -i 0.002 -W 1 192.0.2.2 >/dev/null || :
# What is refused shows when it has been.
fbctl set e addr=192.0.2.3
fbctl set e rate-source=1
alice ping -q -c 9 -i 0.002 -W 1 192.0.2.3 >/dev/null || :
fbctl set e rate-source=
fbctl set e rate=1
alice ping -q -c 9 -i 0.002 -W 1 192.0.2.3 >/dev/null || :
bob ping -q -c 10 -i 0.002 -W 1 192.0.2.1 >/dev/null || :
still

fbctl metrics >metrics
about="fbctl metrics: " fold python3 -S "$tests/openmetrics.py" check metrics
check "packets of a block" contains "$(<metrics)" $'\nlana_block_packets_total{block="f"} 38\n'
check "drops by reason" contains "$(<metrics)" $'\nlana_block_drops_total{block="f",reason="filtered"} 38\n'
check "reasons that did not occur, too" contains "$(<metrics)" $'\nlana_block_drops_total{block="f",reason="queue-full"} 0\n'
check "what a block itself counts" contains "$(<metrics)" $'\nlana_fb_counter_packets{block="c"} 38\n'
check "that of a port" matches "$(<metrics)" $'\nlana_fb_multipath_port_packets\\{block="m",port="0"\\} [0-9]+\n'
check "text of a port" matches "$(<metrics)" $'\nlana_fb_multipath_port_info\\{block="m",port="0",to="p0",link="[a-z]+"\\} 1\n'
check "devices and their blocks" contains "$(<metrics)" $'\nlana_device_info{device="lan0",block="lan0",subsystem="ethernet"} 1\n'
check "blocks of odd names" contains "$(<metrics)" $'\nlana_block_info{block="odd\\"\\\\name",type="dummy"} 1\n'
check "nothing of the configuration" not contains "$(<metrics)" program=
# Not the numbers: packets of the kernel's own may come in between.
named() { sed '/^#/!s/ [^ ]*$//'; }
setpriv --reuid 65534 --clear-groups fbctl metrics >of-nobody
check "whoever asks sees the same" diff <(named <metrics) <(named <of-nobody)
fold python3 -S "$tests/openmetrics.py" dashboard "$top/examples/grafana/lana.json" metrics

ip netns add red
fbctl -n red add only dummy
check "a namespace has metrics of its own" is "$(fbctl -n red metrics | grep ^lana_block_info)" 'lana_block_info{block="only",type="dummy"} 1'
ip netns del red
check "JSON it is not" is "$(said fbctl -j metrics)" \
	$'fbctl: metrics: OpenMetrics is text: fbctl -j stats prints JSON\nstatus 1'

# --- By HTTP ---

fbctl metrics --listen >/dev/null &
server=$!
check "it listens" wait_for 10 http /metrics
http /metrics >answer
check "as OpenMetrics" is "$(head -n 1 answer)" "200 application/openmetrics-text; version=1.0.0; charset=utf-8"
sed -i 1d answer
about="by HTTP: " fold python3 -S "$tests/openmetrics.py" check answer
check "the head alone has no body" is "$(http HEAD /metrics)" "200 application/openmetrics-text; version=1.0.0; charset=utf-8"
check "nothing else is there" contains "$(http /etc/passwd)" "404 text/plain"
check "nothing can be put there" contains "$(http POST /metrics)" "405 text/plain"
check "an address that is taken is named" is "$(said fbctl metrics --listen 9526)" \
	$'fbctl: metrics: 9526: Address already in use\nstatus 2'
check "one that is none, too" contains "$(said fbctl metrics --listen nowhere)" \
	"fbctl: metrics: 'nowhere' is no address to listen at, such as 127.0.0.1:9526"
# Clients that say nothing take nobody's place for long.
python3 -S - <<-'END' &
	import socket, time
	clients = [socket.create_connection(("127.0.0.1", 9526)) for _ in range(40)]
	time.sleep(30)
END
clients=$!
pause 1
check "clients that say nothing do not keep others out" wait_for 15 http /metrics
kill "$clients"
wait "$clients" || :
fbctl rm "$odd"
check "each answer is what is then" not contains "$(http /metrics)" odd
kill "$server"
wait "$server" || :

# --- For a socket of systemd ---

printf 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n' | fbctl metrics --inetd | tr -d '\r' >answer
check "one request on the standard input" is "$(head -n 1 answer)" "HTTP/1.1 200 OK"
sed -i '1,/^$/d' answer
about="by --inetd: " fold python3 -S "$tests/openmetrics.py" check answer
check "one that is none" contains "$(printf 'what?\r\n\r\n' | fbctl metrics --inetd)" "400 Bad Request"
check "one that has no end is no error" is "$(printf 'GET /' | fbctl metrics --inetd; echo "$?")" 0
done_testing
