# SPDX-License-Identifier: GPL-2.0
# What our code is compiled with, besides what the kernel's is, and what is asked of it then.

lana-scripts := $(dir $(lastword $(MAKEFILE_LIST)))

# No branch crosses the end of 32 bytes, or stands there: processors from Skylake to Cascade Lake decode
# such lines anew each time ("Mitigations for Jump Conditional Code Erratum", Intel 341810). Not for C,
# where the kernel's macros name the addresses of branches that are written over later.
rustflags-$(CONFIG_X86_64) += -Cllvm-args=-x86-align-branch-boundary=32
rustflags-$(CONFIG_X86_64) += -Cllvm-args=-x86-align-branch=fused+jcc+jmp+call+ret+indirect

# The module loader of User Mode Linux is simpler than others: it knows no GOT relocations; and it does
# not clear KASAN's shadow where a module comes to lie, so that marks around variables would be taken for
# those of the module that was there before.
rustflags-$(CONFIG_UML) += -Zdirect-access-external-data=yes
ifdef CONFIG_UML
CFLAGS_KASAN := $(subst asan-globals=1,asan-globals=0,$(CFLAGS_KASAN))
RUSTFLAGS_KASAN := $(subst asan-globals=1,asan-globals=0,$(RUSTFLAGS_KASAN))
endif

# No code of ours may panic. Clippy refuses what could, wherever it stands; find-panics looks into the object
# for what the compiler has not proved away, with any tool chain.
rustflags-y += $(addprefix -Dclippy::,arithmetic_side_effects expect_used indexing_slicing panic \
	string_slice todo unimplemented unreachable unwrap_used)

quiet_cmd_lana_panics = PANICS  $<
      cmd_lana_panics = $(PYTHON3) $(lana-scripts)find-panics \
	$(if $(CONFIG_RUST_DEBUG_ASSERTIONS),--debug-assertions) $< $(src); touch $@

# Nor may a function take much of the stack. KASAN puts gaps between variables, and has bigger stacks.
lana-checks-stack := $(if $(CONFIG_KASAN)$(CONFIG_RUST_DEBUG_ASSERTIONS),,$(CONFIG_X86_64))
quiet_cmd_lana_stack = STACK   $<
      cmd_lana_stack = OBJDUMP=$(OBJDUMP) $(PYTHON3) $(lana-scripts)check-stack $<; touch $@

ifneq ($(KBUILD_CLIPPY),1)
always-y += $(patsubst %.o,%.no-panics,$(filter %.o,$(obj-m)))
$(obj)/%.no-panics: $(obj)/%.o $(lana-scripts)find-panics FORCE
	$(call if_changed,lana_panics)

always-$(lana-checks-stack) += $(patsubst %.o,%.small-stack,$(filter %.o,$(obj-m)))
$(obj)/%.small-stack: $(obj)/%.o $(lana-scripts)check-stack FORCE
	$(call if_changed,lana_stack)
endif
