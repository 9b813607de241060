# SPDX-License-Identifier: GPL-2.0
# What the Makefile of a block calls where LANA is installed by its packages (lana-dev has this file
# as its Makefile): make block DIR=FOLDER [KVER=the kernel's release]
#
# A block is compiled against the core's metadata, which rustc reads only beside the very kernel
# metadata that it was made with. So the core is compiled here, once a kernel. The names of its symbols
# come from its source: a block fits the installed modules of the same version.

KVER ?= $(shell uname -r)
LANA_CACHE ?= $(HOME)/.cache/lana
# The kernel's metadata, where DKMS has made it; else the user's own.
KDIR_CACHE ?= $(if $(wildcard /var/cache/lana/kdir/$(KVER)),/var/cache/lana,$(LANA_CACHE))/kdir
export LANA_CACHE KDIR_CACHE
core = $(LANA_CACHE)/core/$(KVER)
folder = $(abspath $(DIR))
out = $(folder)/build/$(KVER)
kbuild = $(MAKE) --no-print-directory -C "$$KDIR" $$made
kbuild_block = $(kbuild) M=$(folder) LANA=$(CURDIR) LANA_BUILD=$(core) KBUILD_EXTRA_SYMBOLS=$(core)/Module.symvers
has_clippy = [ "$$(clippy-driver --rustc --version 2>/dev/null)" = "$$($${RUSTC:-rustc} --version)" ]

.PHONY: block
block:
	@[ -n "$(DIR)" ] || { echo 'make block wants DIR=: the folder of the block' >&2; exit 1; }
	@mkdir -p $(core) $(out)/clippy
	@made=$$(scripts/kdir --make $(KVER)) && export $$made && \
	$(kbuild) M=$(CURDIR) MO=$(core) modules && \
	{ $(if $(filter 0,$(CLIPPY)),:,! $(has_clippy) || $(kbuild_block) MO=$(out)/clippy CLIPPY=1 modules); } && \
	$(kbuild_block) MO=$(out) modules
