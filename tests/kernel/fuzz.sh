# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Random messages, made from the specification, at a graph that is at work. LANA_SEED, LANA_MINUTES and
# LANA_ONLY: as tests/fuzz sets them, for the long form.

. "${0%/*}/../lib.sh"

# With PyYAML where it is there: scripts/env knows where scripts/setup has put it.
if (. "$top/scripts/env" && python3 -c "import yaml") 2>/dev/null; then
	check "the specification is read as PyYAML reads it" \
		bash -c ". '$top/scripts/env' && python3 '$tests/spec.py'"
else
	skip "the specification is read as PyYAML reads it" "Python has no yaml: scripts/setup python"
fi
load
for i in 0 1 2 3; do
	ip link add lan$i type veth peer name far$i
	ip link set lan$i up
	ip link set far$i up
	devices+=("lan$i")
done
# Programs for the block bpf.
mkdir -p /run/b
mount -t bpf bpf /run/b
python3 -S "$tests/bpfload.py" /run/b
hurry
fold python3 -S "$tests/fuzz.py" "$(scale 3000)" --seed "${LANA_SEED:-1}" \
	--minutes "${LANA_MINUTES:-0}" ${LANA_ONLY:+--only "$LANA_ONLY"}

done_testing
