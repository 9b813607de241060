# SPDX-License-Identifier: GPL-2.0
# What the Makefile of a block calls where LANA is installed by its packages (lana-dev has this file
# as its Makefile): make block DIR=FOLDER [KVER=the kernel's release]

KVER ?= $(shell uname -r)
# What the core's build has left: the package of binary modules, or DKMS.
core := $(firstword $(wildcard /usr/lib/lana/$(KVER) /var/lib/dkms/lana/kernel-$(KVER)-$(shell uname -m)/core))
# The kernel's metadata, where the package of the modules has made it; else the user's own.
cache := $(if $(wildcard /var/cache/lana/kdir/$(KVER)),/var/cache/lana,$(HOME)/.cache/lana)
export LANA_CACHE ?= $(cache)
folder = $(abspath $(DIR))
out = $(folder)/build/$(KVER)

.PHONY: block
block:
	@[ -n "$(DIR)" ] || { echo 'make block wants DIR=: the folder of the block' >&2; exit 1; }
	@[ -n "$(core)" ] || { echo 'no modules of LANA for kernel $(KVER): install lana-dkms or' \
		'lana-modules-$(KVER), or set KVER= to the release of a kernel that has them' >&2; exit 1; }
	@mkdir -p $(out)
	@made=$$(scripts/kdir --make $(KVER)) && export $$made && \
	$(MAKE) --no-print-directory -C "$$KDIR" $$made M=$(folder) MO=$(out) LANA=$(CURDIR) LANA_BUILD=$(core) \
		KBUILD_EXTRA_SYMBOLS=$(core)/Module.symvers modules
