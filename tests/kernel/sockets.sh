# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sockets: what programs see of them, beside packet sockets.

. "${0%/*}/../lib.sh"

devices=(lan0)
modprobe lana
namespace red
ip -batch - <<-END
	link add lan0 type veth peer name far0
	link set lan0 up
	link set far0 up
END
check "who opens a socket has its module loaded" \
	python3 -S -c 'import socket; socket.socket(18, socket.SOCK_RAW)'
load
hook lan0
fold python3 -S "$tests/sockets.py" lan0 far0
unload 2>/dev/null || :
check "a module with another number" not modprobe fb_pflana family=17
done_testing
