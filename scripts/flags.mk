# SPDX-License-Identifier: GPL-2.0
# What our code is compiled with in User Mode Linux, whose module loader is simpler than others: it
# knows no GOT relocations; and it does not clear KASAN's shadow where a module comes to lie, so that
# marks around variables would be taken for those of the module that was there before.

rustflags-$(CONFIG_UML) += -Zdirect-access-external-data=yes
ifdef CONFIG_UML
CFLAGS_KASAN := $(subst asan-globals=1,asan-globals=0,$(CFLAGS_KASAN))
RUSTFLAGS_KASAN := $(subst asan-globals=1,asan-globals=0,$(RUSTFLAGS_KASAN))
endif
