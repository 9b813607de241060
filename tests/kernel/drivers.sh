# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What drivers may do, and those of the test kernels do not: by a device of the tests, tests/odd-device, which
# tests/build-external has built.

. "${0%/*}/../lib.sh"

built external tests/build-external
ko() { echo "$LANA_MODULES/external/$1/build/${LANA_MODULES##*/}/$2.ko"; }
parameters=/sys/module/odd_device/parameters
load
insmod "$(ko replacer fb_replacer)"
insmod "$(ko device odd_device)"
hosts
devices+=(odd0)
ip link set odd0 up
hook lan0 lan1 odd0
fold python3 -S "$tests/drivers.py"

# What a block changes in a super-packet nobody vouches for any more (SKB_GSO_DODGY, 2): who takes it apart looks
# at its headers again. Alice's TCP talks to bob, and odd0 gets what she sends, too.
alice ethtool -K a0 tso on
fbctl -b - <<-END
	add t tee
	bind t lan0
	bind lan1 t
	add x dummy
	bind x t
	bind odd0 x
END
gso_type() { # what the last super-packet says of itself
	bob python3 -S "$tests/tcp.py" receive 5001 >tcp.in &
	alice python3 -S "$tests/tcp.py" send 192.0.2.2 5001 1000000 >tcp.out
	wait $!
	cat $parameters/gso_type
}
check "a super-packet that is only looked at says of itself what its sender said" is "$(gso_type)" 1
fbctl -b - <<-END
	add r replacer
	set r do="6 020000000077"
	replace x r
END
check "one that was changed is to be looked at again" is "$(gso_type)" 3
check "both arrived whole" is "$(cat tcp.in)" "$(cat tcp.out)"
clean
check "the modules of the tests go" rmmod odd_device fb_replacer
done_testing
