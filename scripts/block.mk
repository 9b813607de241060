# SPDX-License-Identifier: GPL-2.0
# What a Kbuild file of blocks includes: the flags to compile a block against a built core.
# LANA_BUILD is where the core was built (build/LANE of the checkout).

rustflags-y += --extern lana=$(LANA_BUILD)/lana-core/liblana.rmeta
# All unsafe code is the core's.
rustflags-y += -Funsafe_code
include $(dir $(lastword $(MAKEFILE_LIST)))flags.mk
