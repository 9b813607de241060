# SPDX-License-Identifier: GPL-2.0
# For headers without the kernel's rust/Makefile and rust/bindgen_parameters: what we need of both, as in
# Linux 7.3.

# Flags of gcc that libclang does not know.
lana-skip-cflags := -mno-fp-ret-in-387 -mpreferred-stack-boundary=% \
	-mskip-rax-setup -mgeneral-regs-only -msign-return-address=% \
	-mindirect-branch=thunk-extern -mindirect-branch-register \
	-mfunction-return=thunk-extern -mrecord-mcount -mabi=lp64 \
	-mindirect-branch-cs-prefix -mstack-protector-guard% -mtraceback=no \
	-mno-pointers-to-nested-functions -mno-string \
	-mno-strict-align -mstrict-align -mdirect-extern-access \
	-mexplicit-relocs -mno-check-zero-division \
	-fconserve-stack -falign-jumps=% -falign-loops=% \
	-femit-struct-debug-baseonly -fno-ipa-cp-clone -fno-ipa-sra \
	-fno-partial-inlining -fplugin-arg-arm_ssp_per_task_plugin-% \
	-fno-reorder-blocks -fno-allow-store-data-races -fasan-shadow-offset=% \
	-fzero-call-used-regs=% -fno-stack-clash-protection \
	-fno-inline-functions-called-once -fsanitize=bounds-strict \
	-fstrict-flex-arrays=% -fmin-function-alignment=% \
	-fzero-init-padding-bits=% -mno-fdpic \
	-fdiagnostics-show-context -fdiagnostics-show-context=% \
	--param=% --param asan-% -fno-isolate-erroneous-paths-dereference \
	-ffixed-r2 -mmultiple -mno-readonly-in-sdata

# Types that Rust defines itself or cannot express; and which of ours may be zeroed.
lana-bindgen-params := --blocklist-type __kernel_s?size_t --blocklist-type __kernel_ptrdiff_t \
	--opaque-type xregs_state --opaque-type desc_struct --opaque-type arch_lbr_state \
	--opaque-type local_apic --opaque-type alt_instr --opaque-type x86_msi_data \
	--opaque-type x86_msi_addr_lo --opaque-type lowcore --opaque-type tod_clock \
	--opaque-type tpi_info --opaque-type uv_cb.* --opaque-type uv_secret.* --opaque-type zpci_fib \
	--opaque-type spinlock --no-doc-comments --blocklist-function __list_.*_report \
	--with-derive-custom-struct .*=MaybeZeroable --with-derive-custom-union .*=MaybeZeroable
