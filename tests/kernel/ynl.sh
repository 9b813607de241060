# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The kernel's own netlink client drives the family by nothing but its specification.

. "${0%/*}/../lib.sh"

# shellcheck source=scripts/env
. "$top/scripts/env"
devices=(lan0)
if python3 -c "import yaml"; then
	load
	ip link add lan0 type veth peer name far0
	check "ynl accepts the specification, by its schema" python3 "$KSRC/tools/net/ynl/pyynl/cli.py" \
		--spec "$top/Documentation/netlink/specs/lana.yaml" --dump type-get
	fold python3 "$tests/ynl.py" "$KSRC/tools/net/ynl/pyynl/cli.py" \
		"$top/Documentation/netlink/specs/lana.yaml"
else
	skip "the kernel's netlink client" "Python has no yaml: scripts/setup python"
fi

done_testing
