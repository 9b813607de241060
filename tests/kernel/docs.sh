# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The commands that README.md and Documentation show work, and print what is shown there. Most of them show what User Mode
# Linux prints; a section that is marked for another lane is run there.

. "${0%/*}/../lib.sh"

case ${LANA_LANE:-uml} in
uml | x86_64)
	hurry
	fold python3 -S "$tests/doc.py" "$top"/README.md "$top"/Documentation/*.md
	;;
*) skip "commands of the documentation" "they show what User Mode Linux and the lane x86_64 print" ;;
esac
done_testing
