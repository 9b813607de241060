# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The commands that README.md and Documentation show work, and print what is shown there.

. "${0%/*}/../lib.sh"

if [ "${LANA_LANE:-uml}" = uml ]; then
	hurry
	fold python3 -S "$tests/doc.py" "$top"/README.md "$top"/Documentation/*.md
else
	skip "commands of the documentation" "they show what User Mode Linux prints"
fi
done_testing
