# SPDX-License-Identifier: GPL-2.0
# What people type. The kernel side is built by Kbuild (see Kbuild), the tools by cargo, and what
# both need is made by scripts/setup.

# The kernel to build modules for: one of our test kernels, or one that is installed, by its release, or
# one built elsewhere, by its directory. It is the running one where the command line names none.
LANE ?= uml
KDIR ?=
ifneq ($(origin KVER),command line)
KVER := $(if $(filter command environment,$(origin LANE) $(origin KDIR)),,$(shell uname -r))
endif
PREFIX ?= /usr/local
LANA_CACHE ?= $(HOME)/.cache/lana
export LANA_CACHE

# As kernel_of in scripts/env.
kernel_lane := $(patsubst uml-kasan,uml-debug,$(patsubst %-preempt,%,$(LANE)))
kernel = $(abspath $(or $(KDIR),$(LANA_CACHE)/kernel/$(kernel_lane)))
out = $(CURDIR)/build/$(or $(KVER),$(kernel_lane))
# LANA builds what is its own in its own Debian. Modules for a kernel of yours, the system's compilers build.
inside := scripts/chroot
jobs := $(if $(findstring j,$(firstword -$(MAKEFLAGS))),,-j$(shell nproc))
kbuild = $(if $(KDIR),,$(inside)) $(MAKE) --no-print-directory $(jobs) -C $(kernel) M=$(CURDIR) \
	$(if $(shell grep -s ^CONFIG_UML=y $(kernel)/include/config/auto.conf),ARCH=um) \
	$(if $(filter uml-debug,$(if $(KDIR),,$(kernel_lane))),CC=clang-19)

# A block that lives in a folder of its own, DIR, and is built against our core.
block_out = $(abspath $(DIR))/$(patsubst $(CURDIR)/%,%,$(out))
kbuild_block = $(subst M=$(CURDIR),M=$(abspath $(DIR)),$(kbuild)) \
	LANA=$(CURDIR) LANA_BUILD=$(out) KBUILD_EXTRA_SYMBOLS=$(out)/Module.symvers

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER = aarch64-linux-gnu-gcc

# Kbuild makes much at once, we do one thing after the other.
.NOTPARALLEL:
.PHONY: help demo shell test test-quick test-debug test-full test-deb test-page test-witnesses soak fuzz fuzz-tools bench bench-x86 lab-multipath lab-capture lab-anycast lab-channel \
	setup modules block modules_install tools install uninstall deb doc check clean

help:
	@echo 'make demo             set up, build, and show packets that pass a graph'
	@echo 'make shell            open a shell in a separate kernel, with LANA loaded and two hosts; LANE='
	@echo 'make test             set up, build, and run the tests in User Mode Linux and in Debian'"'"'s own kernel'
	@echo 'make test-quick       run a selection of the tests in User Mode Linux: minutes'
	@echo 'make test-debug       run the tests in a kernel with KASAN, lockdep and leak detection'
	@echo 'make test-full        run every test in every kernel, at full length, test-page and test-witnesses: hours'
	@echo 'make soak MINUTES=10  run full traffic and random changes of the graph on two CPUs'
	@echo 'make fuzz MINUTES=30  fuzz the netlink family from its specification, under KASAN; malformed packets'
	@echo '                      with WHAT="pktfuzz pktblocks multipathfuzz"'
	@echo 'make fuzz-tools       fuzz the parsers of the tools, guided by coverage: ten minutes each'
	@echo 'make bench            compare the speed with every peer, in one run; ONLY="drop chain" selects sections,'
	@echo '                      ONLY=cores compares one core and two'
	@echo 'make bench-x86        count the instructions of a packet on x86-64, with and without retpolines; ONLY='
	@echo 'make lab-multipath    measure how balancing strategies affect TCP, in virtual time, with figures'
	@echo 'make lab-capture      compare ways to capture packets, by programs and by blocks, in counted instructions;'
	@echo '                      ONLY="recvfrom,LANA ring" EXPERIMENT=loss'
	@echo 'make lab-anycast      measure how soon a site of an anycast service that fails withdraws it from BGP, and what'
	@echo '                      clients lose; ROUTER=frr (exabgp, gobgp) HEALTH=poll EXPERIMENT=failover'
	@echo 'make lab-channel      compare a stack that adapts to the loss of a link with fixed ones: 24 hours in virtual time; SEED='
	@echo 'make check            check formatting, lints, the floors of the core, semantic patches, sparse, the'
	@echo '                      reference, and generated files'
	@echo 'make doc              write the reference for authors of blocks: build/doc/lana/prelude/index.html'
	@echo 'make setup            download and build what the other targets need'
	@echo 'make modules          build the modules for the running kernel, in build/KVER; KVER=7.3.4+deb13-amd64 for'
	@echo '                      another one that is installed, KDIR=... for one built elsewhere; LANE=uml,'
	@echo '                      uml-up, uml-debug, uml-lockdep, uml-lab, x86_64, ... for a test kernel'
	@echo 'make modules_install  install them for that kernel (as root); KVER= or KDIR=, as above'
	@echo 'make block DIR=...    build a block outside of this tree (see scripts/new-block), for a kernel'
	@echo '                      as above'
	@echo 'make tools            build fbctl, vlink, lanad, lanactl, the other tools and the example programs, in target/release'
	@echo 'make install          install the tools, manual pages, completions, units and the headers below'
	@echo '                      PREFIX=/usr/local; make uninstall removes them'
	@echo 'make deb              build Debian packages in build/deb; KVER=... adds the modules for that kernel'
	@echo 'make test-deb         test the packages in a Debian 13 with its stock kernel, in QEMU (as root)'
	@echo 'make test-witnesses   compare what nfdump, pmacct, tshark and netflow_parser make of NetFlow and IPFIX'
	@echo 'make test-page        look at the page of fbctl web in Chromium, at the size of a phone and of a desk'
	@echo 'make clean            remove all build output here; $(LANA_CACHE) stays'
	@echo
	@echo 'KSRC=... builds the test kernels from your own source tree.'

demo:
	@start=$$(date +%s) && scripts/ready x86_64 && scripts/lana-vm --lane x86_64 -- scripts/demo && \
	echo "make demo took $$(($$(date +%s) - start)) seconds"

# User Mode Linux boots at once, but its kernel is to be compiled: where it is not there, Debian's.
shell: lane = $(if $(filter command line environment,$(origin LANE)),$(LANE),$(if $(wildcard $(LANA_CACHE)/kernel/uml/.lana),uml,x86_64))
shell:
	@scripts/ready $(lane) shell && scripts/lana-vm --lane $(lane) --shell --net

test:
	@tests/all

# MINUTES=, SEED=, LANE= and WHAT= as the scripts say.
soak fuzz:
	@scripts/setup $(long_lane)
	@$(MAKE) --no-print-directory modules LANE=$(long_lane) KDIR=
	@$(MAKE) --no-print-directory tools
	@LANE=$(long_lane) tests/$@
soak: long_lane = $(if $(filter command line environment,$(origin LANE)),$(LANE),uml)
fuzz: long_lane = $(if $(filter command line environment,$(origin LANE)),$(LANE),uml-kasan)

# ONLY=, the sections of bench/sections; ROUNDS=, in which all take turns.
bench:
	@scripts/setup chroot test peers
	@lanes=$$($(inside) python3 bench/run.py --lanes $(ONLY)) && scripts/setup $$lanes && for lane in $$lanes; do \
		$(MAKE) --no-print-directory block tools DIR=bench/floor LANE=$$lane KDIR= || exit; \
	done
	@LANA_ROUNDS=$(or $(ROUNDS),15) $(inside) python3 bench/run.py $(ONLY)

bench-x86:
	@scripts/setup x86_64
	@scripts/setup chroot test
	@$(MAKE) --no-print-directory block tools DIR=bench/floor LANE=x86_64 KDIR=
	@$(inside) python3 bench/x86.py $(ONLY)

# In a kernel that only this needs. EXPERIMENT=, those of lab/multipath.
lab-multipath:
	@scripts/setup uml-lab
	@$(MAKE) --no-print-directory modules tools LANE=uml-lab KDIR=
	@$(inside) lab/multipath $(EXPERIMENT)

# ONLY=, contenders with commas between; EXPERIMENT=, those of lab/capture.
lab-capture:
	@scripts/setup x86_64
	@$(MAKE) --no-print-directory modules tools LANE=x86_64 KDIR=
	@ONLY="$(ONLY)" $(inside) lab/capture $(EXPERIMENT)

# EXPERIMENT=, ROUTER=, HEALTH= and REPEAT= as lab/anycast/run says.
lab-anycast:
	@scripts/setup uml-lab x86_64
	@scripts/setup chroot test $(or $(filter frr gobgp,$(ROUTER)),routers)
	@$(MAKE) --no-print-directory modules tools LANE=uml-lab KDIR=
	@$(MAKE) --no-print-directory modules LANE=x86_64 KDIR=
	@$(inside) lab/anycast/run $(if $(ROUTER),--router $(ROUTER)) $(if $(HEALTH),--health $(HEALTH)) $(if $(REPEAT),--repeat $(REPEAT)) \
		$(EXPERIMENT)

# SEED=, of the course of loss.
lab-channel:
	@scripts/setup uml-lab
	@$(MAKE) --no-print-directory modules tools LANE=uml-lab KDIR=
	@$(inside) lab/channel $(SEED)

# LANA_FUZZ_SECONDS=, for each of the tools.
fuzz-tools:
	@scripts/setup chroot test clang
	@scripts/fuzz-tools

test-quick:
	@LANES=uml tests/all --quick

test-debug:
	@LANES="uml-kasan uml-lockdep" HOST=no tests/all

test-full:
	@$(MAKE) --no-print-directory test-page
	@$(MAKE) --no-print-directory test-witnesses
	@LANES="uml uml-up uml-kasan uml-lockdep x86_64 x86_64-preempt" tests/all --full

setup:
	@scripts/setup

stock = $(shell cat $(kernel)/release 2>/dev/null)

# A kernel that is not a test kernel: scripts/kdir says where it is and what it was built with.
ifneq ($(if $(kdir_found),,$(KDIR)$(KVER)),)

named = "$(if $(KDIR),$(if $(findstring /,$(KDIR)),,./)$(KDIR),$(KVER))"
modules block:
	@found=$$(scripts/kdir --make $(named)) && $(MAKE) --no-print-directory $@ $$found kdir_found=y
modules_install:
	@found=$$(scripts/kdir --install $(named)) && $(MAKE) --no-print-directory $@ $$found kdir_found=y

# A lane whose kernel is a distribution's: the same, in the Debian that the kernel is of.
else ifneq ($(if $(KDIR),,$(stock)),)

modules block:
	@LANA_CHROOT=$$(cat $(kernel)/world) $(inside) $(MAKE) --no-print-directory $@ \
		LANE= KVER=$(stock) out=$(out) DIR=$(DIR) $(if $(filter arm64%,$(LANE)),ARCH=arm64)

else

modules:
	@$(call no_blank,CURDIR)
	@$(if $(kdir_found),$(call fresh,$(out)))
	@mkdir -p $(out)
	@$(kbuild) MO=$(out) modules
	@$(if $(filter uml-kasan,$(LANE)),$(MAKE) --no-print-directory block DIR=tests/lockdep-off LANE=uml-debug)

block: modules
	@$(call no_blank,DIR)
	@[ -d "$(DIR)" ] || { echo 'make block wants DIR=: the folder of the block' >&2; exit 1; }
	@$(if $(kdir_found),$(call fresh,$(block_out)),:)
	@mkdir -p $(block_out)/clippy
	@$(if $(filter 0,$(CLIPPY)),,! $(if $(KDIR),,$(inside)) $(has_clippy) || \
		$(kbuild_block) MO=$(block_out)/clippy CLIPPY=1 modules)
	@$(kbuild_block) MO=$(block_out) modules

# Signed where scripts/kdir has found a key, and stripped as packages are: BTF stays.
# depmod.sh of the kernel does without depmod where there is no System.map, as in headers.
modules_install: sign = $(if $(KSIGN_KEY),$$(objtree)/scripts/sign-file \
	$$(CONFIG_MODULE_SIG_HASH) $(KSIGN_KEY) $(KSIGN_CERT) $$@,:)
modules_install: root = $(or $(INSTALL_MOD_PATH),$(DESTDIR))
modules_install:
	@[ -n "$(KDIR)" ] || { echo 'make modules_install wants KVER= or KDIR=, as test kernels find their modules here' >&2; exit 1; }
	@[ -s $(out)/modules.order ] || { echo 'there are no modules for $(KVER) in $(out): run make modules first' >&2; exit 1; }
	@$(kbuild) MO=$(out) INSTALL_MOD_PATH=$(root) INSTALL_MOD_DIR=updates/lana INSTALL_MOD_STRIP=1 \
		CONFIG_MODULE_SIG_ALL=$(if $(KSIGN_KEY),y) 'cmd_sign=$(sign)' quiet_cmd_depmod= cmd_depmod=: modules_install
	@$(if $(DESTDIR),:,PATH=$$PATH:/usr/sbin:/sbin && depmod $(if $(root),-b $(root)) $(KVER))

endif

# Clippy of the compiler's version finds what can panic, as the author wrote it; CLIPPY=0 goes without.
# Its objects are not for use.
has_clippy = sh -c '[ "$$(clippy-driver --rustc --version 2>/dev/null)" = "$$($${RUSTC:-rustc} --version)" ]'

# Removes objects that were built with other metadata: Kbuild does not know of that dependency.
fresh = metadata=$$(stat -Lc '%n %s %Y' $(KDIR)/rust/*.rmeta) && \
	{ [ "$$metadata" = "$$(cat $(1)/.metadata 2>/dev/null)" ] || \
		{ rm -rf $(1) && mkdir -p $(1) && echo "$$metadata" > $(1)/.metadata; }; }

no_blank = $(if $(word 2,$($(1))),echo 'the kernel cannot build in a path with a blank: move "$($(1))"' >&2; exit 1,:)

tools:
	@scripts/setup chroot test
	@$(inside) cargo build --release --locked $(if $(filter arm64%,$(LANE)), \
		-p fbctl -p vlink -p bpfc -p flowd -p ifpps -p lanad -p otst -p trafgen --target aarch64-unknown-linux-gnu)

# The tools with their manual pages, completions and units. What is installed, `uninstall` removes: the same list.
share = $(DESTDIR)$(PREFIX)/share
units = lana.service lanad.service lanad@.service lana@.service lana-record.service lana-metrics.socket lana-metrics@.service
programs = fbctl vlink bpfc flowd ifpps lanactl lanad otst trafgen
install: tools
	rm -rf build/install && mkdir -p build/install/man8 build/install/man7
	for tool in fbctl vlink; do \
		target/release/$$tool man build/install/man8 && \
		for shell in bash zsh fish; do \
			target/release/$$tool completions $$shell > build/install/$$tool.$$shell || exit 1; \
		done || exit 1; \
	done
	for tool in bpfc flowd ifpps lanactl lanad otst trafgen; do \
		target/release/$$tool --man build/install/man8 && \
		for shell in bash zsh fish; do \
			target/release/$$tool --completions $$shell > build/install/$$tool.$$shell || exit 1; \
		done || exit 1; \
	done
	$(inside) scripts/block-pages build/install/man7
	install -D -t $(DESTDIR)$(PREFIX)/sbin $(programs:%=target/release/%)
	install -D -m 644 -t $(share)/vim/vimfiles/syntax tools/bpfc/vim/syntax/bpf.vim
	install -D -m 644 -t $(share)/vim/vimfiles/ftdetect tools/bpfc/vim/ftdetect/bpf.vim
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include/linux include/uapi/linux/lana*.h
	install -D -m 644 -t $(share)/man/man8 build/install/man8/*.8
	install -D -m 644 -t $(share)/man/man7 build/install/man7/*.7
	for tool in $(programs); do \
		install -D -m 644 build/install/$$tool.bash $(share)/bash-completion/completions/$$tool && \
		install -D -m 644 build/install/$$tool.zsh $(share)/zsh/site-functions/_$$tool && \
		install -D -m 644 build/install/$$tool.fish $(share)/fish/vendor_completions.d/$$tool.fish || exit 1; \
	done
	for unit in $(units); do \
		sed 's,/usr/sbin,$(PREFIX)/sbin,' systemd/$$unit > build/install/$$unit || exit 1; \
	done
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system $(units:%=build/install/%)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/modules-load.d systemd/lana.conf
	install -d $(DESTDIR)/etc/lana $(DESTDIR)/var/lib/lana

# Your graphs in /etc/lana and the log in /var/lib/lana stay, unless these are empty.
uninstall:
	rm -f $(programs:%=$(DESTDIR)$(PREFIX)/sbin/%) $(DESTDIR)$(PREFIX)/include/linux/lana*.h \
		$(share)/vim/vimfiles/syntax/bpf.vim $(share)/vim/vimfiles/ftdetect/bpf.vim \
		$(programs:%=$(share)/bash-completion/completions/%) $(programs:%=$(share)/zsh/site-functions/_%) \
		$(programs:%=$(share)/fish/vendor_completions.d/%.fish) \
		$(programs:%=$(share)/man/man8/%.8) $(share)/man/man8/fbctl-*.8 $(share)/man/man8/vlink-*.8 \
		$(share)/man/man8/lanactl-*.8 \
		$(share)/man/man7/lana-*.7 \
		$(units:%=$(DESTDIR)$(PREFIX)/lib/systemd/system/%) $(DESTDIR)$(PREFIX)/lib/modules-load.d/lana.conf
	rmdir --ignore-fail-on-non-empty $(DESTDIR)/etc/lana $(DESTDIR)/var/lib/lana

# In a Debian 13: this one, if it has the build dependencies.
deb:
	@if dpkg-checkbuilddeps >/dev/null 2>&1; then deb=; else scripts/setup builder && deb='$(inside)'; fi && \
		LANA_CHROOT=builder $(if $(filter command line,$(origin KVER)),KVER=$(KVER)) $$deb scripts/deb

# With PICTURES=DIR it saves pictures there.
test-page:
	@scripts/setup chroot test page
	@$(inside) tests/page/check $(PICTURES)

# What other programs make of NetFlow and IPFIX: in a network namespace of its own.
test-witnesses:
	@scripts/setup chroot test witnesses
	@scripts/setup captures
	@$(inside) cargo build --locked --quiet -p flowd --features witness --bins --examples
	@$(inside) unshare -n tests/witnesses

test-deb:
	@scripts/setup builder
	@LANA_CHROOT=builder $(inside) tests/deb

check:
	@scripts/setup chroot test check
	$(inside) cargo fmt --check
	# Not by way of cargo, which would take one of rustup first.
	$(inside) cargo-clippy --locked --all-targets -- -D warnings
	$(inside) rustfmt --check --edition 2021 $$(find lana-core fb-modules otst examples scripts/host tests/blocks tests/misuse -name '*.rs')
	@$(inside) scripts/check-floors
	# A file of the name of a module of Python's own would hide that from all others in the folder.
	@python3 -c 'import glob, os, sys; \
		bad = [file for file in glob.glob("tests/*.py") if os.path.basename(file)[:-3] in sys.stdlib_module_names]; \
		sys.exit("these have the name of a module of Python: %s" % " ".join(bad) if bad else 0)'
	@mkdir -p build/clippy
	@$(kbuild) MO=$(CURDIR)/build/clippy CLIPPY=1 KRUSTFLAGS=-Dwarnings modules
	@$(inside) scripts/gen-netlink $(CURDIR)/build/netlink
	# otst is for kernels with kprobes, which User Mode Linux has not: where the other lane is set up.
	@[ ! -e $(LANA_CACHE)/kernel/x86_64/release ] || $(MAKE) --no-print-directory modules LANE=x86_64 KDIR= \
		out=$(CURDIR)/build/clippy-x86 CLIPPY=1 KRUSTFLAGS=-Dwarnings
	@$(inside) scripts/check-c build/clippy $$([ ! -d build/clippy-x86 ] || echo build/clippy-x86)
	@$(inside) scripts/doc build/clippy build/clippy/doc
	for file in include/uapi/linux/lana.h lana-core/sys/netlink-gen.h lana-core/sys/netlink-gen.c; do \
		diff $$file build/netlink/$$file || exit; \
	done

# The modules are those of any kernel: User Mode Linux has the fewest needs.
doc:
	@$(MAKE) --no-print-directory modules LANE=uml KDIR=
	@$(inside) scripts/doc build/uml build/doc

clean:
	rm -rf build target bench/floor/build
