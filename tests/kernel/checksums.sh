# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# A block changes packets and keeps their checksums right, whatever is known of them. tests/build-external
# has built it.

. "${0%/*}/../lib.sh"

built external tests/build-external
load
insmod "$LANA_MODULES/external/replacer/build/${LANA_MODULES##*/}/fb_replacer.ko"
hosts
neighbours
hook lan0 lan1
bridge r replacer
fold python3 -S "$tests/frames.py" replaced

# A device that does GRO checks what it puts together.
alice ethtool -K a0 tso off
ethtool -K lan0 gro on
fold python3 -S "$tests/frames.py" trusted

# A bridge that looks at IGMP has the kernel sum it up, as some hardware does.
fbctl unbind r lan0
ip -batch - <<-END
	link add br0 type bridge mcast_snooping 1
	link add p0 type veth peer name q0
	link set p0 master br0
	link set p0 up
	link set q0 up
	link set br0 up
END
hook br0
fbctl bind r br0
fold python3 -S "$tests/frames.py" complete
clean
ip link del br0
ip link del p0
check "its module goes when there is none" rmmod fb_replacer
done_testing
