# Weir. `make help` tells the targets; everything is built below build/.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.SECONDARY:
B := build
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
CC ?= gcc
CLANG ?= clang
PREFIX ?= /usr/local
CNI_BIN_DIR ?= /opt/cni/bin
V ?= 0
Q := $(if $(filter 0,$(V)),@)
say = $(if $(filter 0,$(V)),@printf '  %-8s %s\n' $(1) $(2))

# Debian 12 packages: what building needs, what tests, demo and benchmarks run.
PKGS_BUILD = gcc musl-tools clang llvm make git pkg-config libc6-dev linux-libc-dev libbpf-dev libelf-dev zlib1g-dev bpftool \
	libjansson-dev libyaml-dev libnghttp2-dev libprotobuf-c-dev libssl-dev \
	protobuf-c-compiler libsystemd-dev uthash-dev libcap-ng-dev libnftables-dev libnetfilter-conntrack-dev libmnl-dev \
	libcurl4-openssl-dev \
	$(if $(shell apt-cache show libllhttp-dev 2>/dev/null),libllhttp-dev,node-llhttp)
PKGS_TEST := check prometheus iproute2 iputils-ping nftables procps jq curl socat netcat-openbsd python3 python3-hpack containernetworking-plugins \
	libclang-rt-14-dev xz-utils nghttp2-client nghttp2-server nginx-light wrk $(if $(shell command -v npm),,npm)
PKGS_CHECK := clang-tidy cppcheck shellcheck check
PKGS_BENCH := iptables ethtool

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS ?= -O2 -g
CPPFLAGS += -I. -Iinclude -I$(B)/gen -D_GNU_SOURCE -DWEIR_VERSION='"$(VERSION)"'
ALL_CFLAGS := -std=gnu17 $(WARN) $(CFLAGS) -MMD -MP -fno-omit-frame-pointer
# What reads layer 7 is many small functions in many files: seen at once they are a twelfth faster.
LTO := $(if $(findstring clang,$(CC)),,-flto=auto -ffat-lto-objects)
SAN := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined
BPF_CFLAGS := -std=gnu17 -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter \
	-Iinclude -I. -I/usr/include/$(shell $(CC) -dumpmachine) -MMD -MP

pkgs = $(shell pkg-config --libs $(1) 2>/dev/null)
# llhttp is a library in Debian 13; Debian 12 has its C sources, as generated for Node.js.
LLHTTP_LIBS := $(call pkgs,libllhttp)
LLHTTP_SRC := $(if $(LLHTTP_LIBS),,$(wildcard /usr/share/llhttp/*.c))
llhttp_obj = $(LLHTTP_SRC:/usr/share/%.c=$(B)/$(1)/%.o)
CPPFLAGS += $(if $(LLHTTP_LIBS),,-isystem /usr/share/include/llhttp)
LIB_LIBS = $(call pkgs,jansson yaml-0.1 libnghttp2 libprotobuf-c openssl)
AGENT_LIBS = $(LIB_LIBS) $(call pkgs,libbpf libsystemd libcap-ng libnftables libnetfilter_conntrack libmnl zlib) $(LLHTTP_LIBS) -lpthread
# weir-cni is static and starts for every pod. glibc's start-up asks the processor for its caches, which a virtual
# machine traps (33 times, 15 us each where this was measured); musl's does not.
CNI_CC := $(or $(shell command -v musl-gcc),$(CC))
CNI_LIB := $(patsubst %,lib/%.c,addr attachment err fs log netlink netns tc_attach unixsock)
CNI_CFLAGS := $(ALL_CFLAGS) -idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -dumpmachine)
CNI_LIBS = $(shell pkg-config --variable=libdir jansson)/libjansson.a

PROTO := $(wildcard lib/proto/*.proto)
PROTO_C := $(PROTO:%.proto=$(B)/gen/%.pb-c.c)
BPF_OBJ := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.bpf.o,$(wildcard bpf/*.bpf.c))
SKEL := $(patsubst $(B)/bpf/%.bpf.o,$(B)/gen/%.skel.h,$(BPF_OBJ))
LIB_SRC := $(wildcard lib/*.c lib/*/*.c)
AGENT_SRC := $(wildcard agent/*.c agent/*/*.c)
CNI_SRC := $(wildcard cni/*.c)
CLI_SRC := $(wildcard cli/*.c)
obj = $(patsubst %.c,$(B)/$(1)/%.o,$(filter-out $(B)/%,$(2))) $(patsubst $(B)/gen/%.c,$(B)/$(1)/gen/%.o,$(filter $(B)/%,$(2)))
PROGRAMS := $(B)/weir-agent $(B)/weir-cni $(B)/weir
UNIT := $(patsubst test/unit/%.c,$(B)/test/unit/%,$(wildcard test/unit/*.c))

help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: deps-build ## the three programs and the BPF objects, into build/
	$(Q)$(MAKE) --no-print-directory programs
programs: $(PROGRAMS)

# Packages are installed once, by name, and only where something is missing.
deps-build: ; $(Q).ci/packages $(PKGS_BUILD)
deps-test: ; $(Q).ci/packages $(PKGS_BUILD) $(PKGS_TEST)
deps-check: ; $(Q).ci/packages $(PKGS_BUILD) $(PKGS_CHECK)
deps-bench: ; $(Q).ci/packages $(PKGS_BUILD) $(PKGS_TEST) $(PKGS_BENCH)

# ---- BPF: object, then skeleton
$(B)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(B)/gen/%.skel.h: $(B)/bpf/%.bpf.o
	$(Q)mkdir -p $(@D) && bpftool gen skeleton $< name $(subst .,_,$*) > $@

# ---- generated protobuf code
$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h &: %.proto
	$(call say,PROTO,$<)
	$(Q)mkdir -p $(B)/gen && protoc-c --proto_path=. --c_out=$(B)/gen $<
PROTO_H := $(PROTO_C:.c=.h)
# For server reflection: all descriptors, as bytes of a C array.
$(B)/gen/lib/proto/descriptors.inc: $(PROTO)
	$(call say,PROTO,$@)
	$(Q)mkdir -p $(@D) && protoc-c --proto_path=. --descriptor_set_out=$(@D)/descriptors $^ && \
		od -An -v -tu1 $(@D)/descriptors | sed 's/  */,/g; s/^,//; s/$$/,/' >$@
$(B)/o/agent/api/reflection.o $(B)/san/agent/api/reflection.o: $(B)/gen/lib/proto/descriptors.inc

# ---- C: every source once for the programs ("o") and once with sanitizers for the tests ("san")
define compile
$(B)/$(1)/%.o: %.c Makefile | $(PROTO_H) $(SKEL)
	$$(call say,CC,$$@)
	$(Q)mkdir -p $$(@D) && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(2) $$(HOT) -c $$< -o $$@
$(B)/$(1)/gen/%.o: $(B)/gen/%.c Makefile | $(PROTO_H)
	$(Q)mkdir -p $$(@D) && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(2) -c $$< -o $$@
# One function of many jumps: where it begins makes a fifth of its speed.
$(B)/$(1)/llhttp/%.o: /usr/share/llhttp/%.c Makefile
	$(Q)mkdir -p $$(@D) && $(CC) -isystem /usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1 $(CFLAGS) -falign-functions=64 $(2) -w -c $$< -o $$@
$(B)/$(1)/libweir.a: $(call obj,$(1),$(LIB_SRC) $(PROTO_C))
	$(Q)mkdir -p $$(@D) && rm -f $$@ && ar rcs $$@ $$^
$(B)/$(1)/libagent.a: $(filter-out %/main.o,$(call obj,$(1),$(AGENT_SRC))) $(call llhttp_obj,$(1))
	$(Q)mkdir -p $$(@D) && rm -f $$@ && ar rcs $$@ $$^
$(B)/$(1)/libcni.a: $(filter-out %/main.o,$(call obj,$(1),$(CNI_SRC)))
	$(Q)mkdir -p $$(@D) && rm -f $$@ && ar rcs $$@ $$^
$(B)/$(1)/libcli.a: $(filter-out %/main.o,$(call obj,$(1),$(CLI_SRC)))
	$(Q)mkdir -p $$(@D) && rm -f $$@ && ar rcs $$@ $$^
$(B)/$(1)/llhttp: $(call llhttp_obj,$(1))
	$(Q)mkdir -p $$@
endef
$(eval $(call compile,o,$(LTO)))
# Loops over what pods send: the compiler is to look at many bytes at a time.
$(B)/o/agent/l7/%.o: HOT := -O3
$(eval $(call compile,san,$(SAN)))

$(B)/weir-agent: $(B)/o/agent/main.o $(B)/o/libagent.a $(B)/o/libweir.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(AGENT_LIBS)
# The agent of the end-to-end tests has sanitizers too.
$(B)/san/weir-agent: $(B)/san/agent/main.o $(B)/san/libagent.a $(B)/san/libweir.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) $(SAN) -o $@ $^ $(AGENT_LIBS)
$(B)/cni/%.o: %.c Makefile
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CNI_CC) $(CPPFLAGS) $(CNI_CFLAGS) -c $< -o $@
$(B)/weir-cni: $(patsubst %.c,$(B)/cni/%.o,$(CNI_SRC) $(CNI_LIB))
	$(call say,LINK,$@)
	$(Q)$(CNI_CC) $(LDFLAGS) -static -o $@ $^ $(CNI_LIBS)
$(B)/weir: $(B)/o/cli/main.o $(B)/o/libcli.a $(B)/o/libweir.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(call pkgs,zlib)

# ---- tests: each prints TAP, test/run adds up. A unit test is one file with a main of its own (test/unit.h).
$(B)/test/unit/%: test/unit/%.c $(B)/san/libagent.a $(B)/san/libcni.a $(B)/san/libcli.a $(B)/san/libweir.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(SAN) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		$(AGENT_LIBS) $(call pkgs,check) $(UNIT_LDFLAGS_$*)
UNIT_LDFLAGS_policy_oom := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=strdup

# Programs that suites drive, with the project's own code in them.
HARNESS = $(FUZZ:%=$(B)/test/fuzz/replay-%) $(B)/test/netpol/maps $(B)/test/api/server $(B)/test/bpf/bpf
$(B)/test/netpol/maps $(B)/test/api/server: $(B)/test/%: test/%.c $(B)/san/libagent.a $(B)/san/libweir.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(SAN) -o $@ $^ $(AGENT_LIBS)
$(B)/test/bpf/bpf: $(wildcard test/bpf/*.c test/bpf/*.h) $(B)/san/libagent.a $(B)/san/libweir.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(filter-out -M%,$(ALL_CFLAGS)) $(SAN) -o $@ $(filter-out %.h,$^) $(AGENT_LIBS) \
		$(call pkgs,check)

$(B)/test/bench/%.bpf.o: test/bench/%.bpf.c Makefile
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(B)/test/bench/%.skel.h: $(B)/test/bench/%.bpf.o
	$(Q)bpftool gen skeleton $< name $* > $@
$(B)/test/bench/packet: test/bench/packet.c test/bpf/packet.c $(B)/test/bench/least.skel.h $(B)/test/bench/count.skel.h \
		$(B)/o/libagent.a $(B)/o/libweir.a
	$(call say,BENCH,$@)
	$(Q)$(CC) $(CPPFLAGS) -I$(B)/test/bench $(filter-out -M%,$(ALL_CFLAGS)) -o $@ $(filter-out %.h,$^) $(AGENT_LIBS)

$(B)/test/bench/policy: test/bench/policy.c $(B)/o/libweir.a
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(filter-out -M%,$(ALL_CFLAGS)) -o $@ $^ $(LIB_LIBS)

# The parsers of HTTP without what stands above them.
$(B)/test/bench/parsers: test/bench/parsers.c $(patsubst %,$(B)/o/agent/l7/%.o,http1 http2 http2_block http2_head http_head) $(B)/o/libweir.a \
		$(call llhttp_obj,o)
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(filter-out -M%,$(ALL_CFLAGS)) -o $@ $^ $(AGENT_LIBS)

# Fuzzers (test/fuzz/run builds them), here with a main that only replays their corpus.
FUZZ := $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/*.c))
$(B)/test/fuzz/replay-%: test/fuzz/%.c test/fuzz/replay/main.c $(B)/san/libagent.a $(B)/san/libcni.a $(B)/san/libcli.a \
		$(B)/san/libweir.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(filter-out -M%,$(ALL_CFLAGS)) $(SAN) -o $@ $(filter %.c,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(AGENT_LIBS)

# Small programs that the shell tests use: one file each.
TOOLS := $(patsubst test/tool/%.c,$(B)/test/tool/%,$(wildcard test/tool/*.c))
$(B)/test/tool/%: test/tool/%.c
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D) && $(CC) -D_GNU_SOURCE $(ALL_CFLAGS) -static -o $@ $<

SUITES := $(patsubst test/%/suite,%,$(wildcard test/*/suite))
test: deps-test ## install packages, build, run every test
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)test/run $(SUITES)
test-%: deps-test ## one suite: unit bpf policy cni e2e ...
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)test/run $*
test-programs: $(PROGRAMS) $(UNIT) $(TOOLS) $(HARNESS) $(B)/san/weir-agent

demo: deps-test ## wire real pods, enforce real policies, let agents talk, print the flows
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)test/demo

bench: deps-bench ## the benchmark table; ROWS=regex for some rows
	$(Q)$(MAKE) --no-print-directory programs $(TOOLS) $(addprefix $(B)/test/bench/,packet policy parsers least.bpf.o)
	$(Q)test/bench/run $(if $(ROWS),'$(ROWS)')

check: deps-check ## static checks: both compilers, clang-tidy, cppcheck, shellcheck
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)CPPFLAGS='$(subst ',,$(CPPFLAGS))' test/check # quotes of the shell would not survive

fmt: ## clang-format in place
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h')

fuzz: deps-test ## every fuzzer, FUZZ_SECONDS each (default 300)
	$(Q)test/fuzz/run $(or $(FUZZ_SECONDS),300)

# weir(1) comes from the tables of its options, the others from --help and what docs/man adds.
man: programs ## the manual pages, into build/man
	$(Q).ci/packages help2man
	$(Q)mkdir -p $(B)/man
	$(Q)$(B)/weir man > $(B)/man/weir.1
	$(Q)for p in weir-agent weir-cni; do help2man --no-info --no-discard-stderr --section=8 --include=docs/man/$$p.h2m --output=$(B)/man/$$p.8 $(B)/$$p; done

install: programs man ## into PREFIX and CNI_BIN_DIR (DESTDIR honoured)
	install -D -m 0755 $(B)/weir-agent $(DESTDIR)$(PREFIX)/sbin/weir-agent
	install -D -m 0755 $(B)/weir $(DESTDIR)$(PREFIX)/bin/weir
	install -D -m 0755 $(B)/weir-cni $(DESTDIR)$(CNI_BIN_DIR)/weir-cni
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man1 $(B)/man/weir.1
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man8 $(B)/man/weir-agent.8 $(B)/man/weir-cni.8
	install -D -m 0644 manifests/weir-agent.service $(DESTDIR)$(PREFIX)/lib/systemd/system/weir-agent.service

clean: ## remove build/
	rm -rf $(B)

.PHONY: help build man programs demo test test-programs check fmt bench fuzz install clean
-include $(shell find $(B) -name '*.d' 2>/dev/null)
