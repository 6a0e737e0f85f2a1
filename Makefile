# groups-chat: every task that anyone does here.
#
#   make run      install what is missing, build, serve on 127.0.0.1:3000 with ./data
#   make test     install what is missing, build, run every test
#   make          build/groups-chat
#   make check    format, lint, include arrows, headers, sanitizers, corpora
#   make bench    measure against the raw-socket floor
#   make sim      one simulated history [SEED]; SEEDS=n: so many, from SEED on
#   make fuzz     each fuzz target for TIME seconds [30], from SEED [0: another each time]
#   make coverage which lines of log, model, net, auth and base the tests run, and which not
#   make install  into DESTDIR/PREFIX [/usr/local]
#
# SAN=address or SAN=thread builds and tests with sanitizers, SAN=coverage counts lines, each in a tree
# of its own below build/.
# V=1 shows the commands.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

CC      := gcc
CLANG   := clang
PYTHON  := /usr/bin/python3
PREFIX  ?= /usr/local
SAN     ?=
TIME    ?= 30
SEED    ?= 0
JOBS    ?= $(shell nproc)
V       ?=
Q       := $(if $(V),,@)
say     := @$(if $(V),true,echo)
VERSION := 0.1.2

ifeq ($(SAN),address)
BUILD    := build/asan
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(SAN),thread)
BUILD    := build/tsan
SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer
else ifeq ($(SAN),coverage)
BUILD    := build/coverage
SANFLAGS := --coverage -fprofile-update=atomic -O0
else
BUILD    := build
SANFLAGS :=
endif

# -O3 where speed counts: 6 % fewer instructions a message than with -O2. With sanitizers it only takes
# longer to compile.
OPTIMIZE := $(if $(SAN),-O2,-O3)
WARN     := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
            -Wwrite-strings -Wvla -Wundef -Wformat=2 -Werror=implicit-function-declaration \
            -Werror=switch -Werror=unused-result
CPPFLAGS := -D_GNU_SOURCE -DGROUPS_CHAT_VERSION='"$(VERSION)"' -I. -Isrc
CFLAGS   := -std=gnu11 $(OPTIMIZE) -g -fno-strict-aliasing -pthread $(WARN) $(WERROR) $(SANFLAGS)
LDFLAGS  := -pthread $(SANFLAGS)
LIBS     := -lev -lhttp_parser -lwslay -lsodium -lutf8proc -linih

# ---- what is installed, and why ---------------------------------------------------------------

PACKAGES_BUILD := gcc libc6-dev make libev-dev libhttp-parser-dev libwslay-dev \
                  libsodium-dev libutf8proc-dev libinih-dev libcurl4-openssl-dev ca-certificates
PACKAGES_TEST  := curl openssl libcmocka-dev libjansson-dev libjsmn-dev uuid-dev libb2-dev python3 python3-pytest python3-requests \
                  python3-pytest-xdist python3-pytest-timeout python3-websockets python3-hypothesis \
                  python3-jsonschema python3-yaml
PACKAGES_CHECK := clang clang-format clang-tidy cppcheck libclang-rt-14-dev llvm-14 valgrind \
                  $(if $(shell command -v npm),,npm)

# $(call install,packages,why): asks dpkg what is missing, says so, installs that.
define install
@missing=; for p in $(1); do \
    dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; \
done; \
if [ -n "$$missing" ]; then \
    echo "Installing with apt, $(2):$$missing"; \
    sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
    $$sudo apt-get update -q >/dev/null && \
    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing >/dev/null; \
fi
endef

.PHONY: deps deps-test deps-check
deps:
	$(call install,$(PACKAGES_BUILD),to build)
deps-test: deps
	$(call install,$(PACKAGES_TEST),to test)
deps-check: deps-test
	$(call install,$(PACKAGES_CHECK),to check and fuzz)

# ---- the rooms --------------------------------------------------------------------------------
# One archive a room; a unit test links its room and the rooms below it only, so the link itself
# holds the arrows: base <- log, model, net, auth; base, log, model <- core, tools; net, core <- hooks; all <- api.

ROOMS := base log model auth net core hooks api tools
SRC_base  := $(wildcard src/base/*.c)
SRC_log   := $(wildcard log/*.c)
SRC_model := $(wildcard src/model/*.c)
SRC_auth  := $(wildcard src/auth/*.c)
SRC_net   := $(wildcard src/net/*.c)
SRC_core  := $(wildcard src/core/*.c)
SRC_hooks := $(wildcard src/hooks/*.c)
SRC_api   := $(wildcard src/api/*.c)
SRC_tools := $(wildcard src/tools/*.c)
SRC_top   := $(wildcard src/*.c)

NEEDS_base  := base
NEEDS_log   := log base
NEEDS_model := model base
NEEDS_auth  := auth base
NEEDS_net   := net base
NEEDS_core  := core model log base
NEEDS_hooks := hooks core net model log base
NEEDS_api   := api hooks core net auth model log base
NEEDS_tools := tools model log base

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
lib = $(foreach r,$(1),$(BUILD)/lib/lib$(r).a)

define room_rule
$(BUILD)/lib/lib$(1).a: $(call obj,$(SRC_$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_rule,$(r))))

# How a tree was compiled, the version among it: where that is another now, all of it is compiled anew.
%/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$FLAGS" | cmp -s - $@ || printf '%s\n' "$$FLAGS" >$@
$(BUILD)/flags: export FLAGS := $(CC) $(CPPFLAGS) $(CFLAGS)
.PHONY: FORCE

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# The assembler puts these into that object.
$(BUILD)/obj/src/api/contract.o build/fuzzer/obj/src/api/contract.o: docs/openapi.yaml docs/asyncapi.yaml

all: $(BUILD)/groups-chat
.PHONY: all

$(BUILD)/groups-chat: $(call obj,$(SRC_top)) $(call lib,tools api hooks core net auth model log base)
	$(say) LINK $@
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

.PHONY: run
run: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	./build/groups-chat

# ---- no test hangs ----------------------------------------------------------------------------
# Each test waits for what it says, and gives up on that by itself (tests/await.h, PATIENCE of the
# end-to-end tests). Where one hangs all the same it is ended after LIMIT seconds: a unit test, a
# corpus or the simulation by SIGABRT, behind the name of what ran; one of pytest's by its name. No
# measure of speed: about ten times what the slowest takes here.

LIMIT ?= $(if $(SAN),1200,600)
EACH  := LIMIT=$(LIMIT) JOBS=$(JOBS) sh tests/each.sh

# ---- unit tests -------------------------------------------------------------------------------

unit_src  = $(wildcard tests/unit/$(1)/test_*.c)
unit_bin  = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(call unit_src,$(1)))
UNIT_TOP := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
UNIT_BINS := $(foreach r,$(ROOMS),$(call unit_bin,$(r))) $(UNIT_TOP)

define unit_rule
$(call unit_bin,$(1)): $(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(call lib,$(NEEDS_$(1)))
	@mkdir -p $$(@D)
	$(Q)$(CC) $(LDFLAGS) -o $$@ $$^ $(LIBS) -lcmocka -ljansson -luuid -lb2
.PHONY: unit-$(1)
unit-$(1): $(call unit_bin,$(1))
	@$(EACH) $$^
endef
$(foreach r,$(ROOMS),$(eval $(call unit_rule,$(r))))

# Tests of src/*.c (config): linked with that file's object, and with those of its parts.
$(BUILD)/unit/test_config: $(call obj,$(wildcard src/config_*.c))
$(UNIT_TOP): $(BUILD)/unit/test_%: $(BUILD)/obj/tests/unit/test_%.o $(BUILD)/obj/src/%.o $(call lib,base)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS) -lcmocka

.PHONY: unit unit-build
unit-build: $(UNIT_BINS)
unit: $(UNIT_BINS)
	@$(EACH) $^

# ---- fuzz targets: one an untrusted input ---------------------------------------------------------
# Each is built twice: with libFuzzer (clang, ASan, UBSan) for `make fuzz`, and with a plain main that
# runs it over its corpus, for `make test`.

FUZZ_NAMES   := $(patsubst fuzz/fuzz_%.c,%,$(wildcard fuzz/fuzz_*.c))
FUZZ_RUNNERS := $(FUZZ_NAMES:%=$(BUILD)/fuzz/run_%)
FUZZ_BINS    := $(FUZZ_NAMES:%=build/fuzzer/%)
FUZZ_CFLAGS  := -std=gnu11 -O1 -g -fno-strict-aliasing -pthread -fno-omit-frame-pointer \
                -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_LIB_OBJ := $(patsubst %.c,build/fuzzer/obj/%.o,$(foreach r,$(ROOMS),$(SRC_$(r))))

# The whole server needs src/*.c too, its clients, and seams for clocks, randomness and threads.
FUZZ_SERVER       := $(filter-out src/main.c,$(SRC_top)) $(wildcard fuzz/server_*.c)
FUZZ_SERVER_CALLS := clock_wall_ms clock_mono_ms crypto_random crypto_siphash uuid_random \
                     password_pool_new password_pool_free password_hash password_verify \
                     password_fd password_dispatch
$(BUILD)/fuzz/run_server build/fuzzer/server: FUZZ_WRAP := $(FUZZ_SERVER_CALLS:%=-Wl,--wrap=%)
$(BUILD)/fuzz/run_server: $(call obj,$(FUZZ_SERVER))
build/fuzzer/server: $(FUZZ_SERVER:%.c=build/fuzzer/obj/%.o)

$(FUZZ_RUNNERS): $(BUILD)/fuzz/run_%: $(BUILD)/obj/fuzz/fuzz_%.o $(BUILD)/obj/fuzz/runner.o \
                 $(call lib,api hooks core net auth model log base)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(FUZZ_WRAP) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS) -ljansson

.PHONY: corpora fuzz-build
fuzz-build: $(FUZZ_RUNNERS)
corpora: $(FUZZ_RUNNERS)
	@$(EACH) $(foreach n,$(FUZZ_NAMES),'$(BUILD)/fuzz/run_$(n) fuzz/corpus/$(n)')

build/fuzzer/flags: export FLAGS := $(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS)
build/fuzzer/obj/%.o: %.c build/fuzzer/flags
	@mkdir -p $(@D)
	$(say) CLANG $<
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

build/fuzzer/libchat.a: $(FUZZ_LIB_OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(FUZZ_BINS): build/fuzzer/%: build/fuzzer/obj/fuzz/fuzz_%.o build/fuzzer/libchat.a
	$(Q)$(CLANG) $(FUZZ_CFLAGS) $(FUZZ_WRAP) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS) -ljansson

.PHONY: fuzz fuzz-run fuzz-bins
fuzz-bins: $(FUZZ_BINS)
fuzz: deps-check
	@$(MAKE) --no-print-directory -j$(JOBS) fuzz-bins
	@$(MAKE) --no-print-directory fuzz-run

# What is found new goes to build/fuzzer/found/, never into the tree by itself.
fuzz-run: $(FUZZ_BINS)
	@set -e; for n in $(FUZZ_NAMES); do \
	    mkdir -p build/fuzzer/found/$$n; \
	    dict=; [ -f fuzz/$$n.dict ] && dict=-dict=fuzz/$$n.dict; \
	    echo "== fuzz $$n, $(TIME) s"; \
	    build/fuzzer/$$n -max_total_time=$(TIME) -seed=$(SEED) -rss_limit_mb=4096 -timeout=25 -print_final_stats=0 \
	        -verbosity=0 -artifact_prefix=build/fuzzer/found/$$n- $$dict \
	        build/fuzzer/found/$$n fuzz/corpus/$$n; \
	done

# ---- tests of the whole server ----------------------------------------------------------------------

PYTEST := $(PYTHON) -m pytest -q -p no:cacheprovider --timeout=$(LIMIT) --timeout-method=signal

# The files of the end-to-end tests run side by side; much of their time is waiting.
E2E_WORKERS ?= $(shell expr $(JOBS) + 1)

.PHONY: e2e crash test test-run
e2e: $(BUILD)/groups-chat
	GROUPS_CHAT_BIN=$(BUILD)/groups-chat $(PYTEST) -n $(E2E_WORKERS) --dist loadfile tests/e2e

crash: $(BUILD)/groups-chat
	GROUPS_CHAT_BIN=$(BUILD)/groups-chat $(PYTEST) tests/crash

# The whole below a simulated disk, without threads and without a clock: tests/sim/sim.c says how.
SIM_OBJ   := $(call obj,$(wildcard tests/sim/*.c))
SIM_CALLS := readdir closedir poll pthread_join pthread_mutex_lock pthread_cond_wait \
             pthread_cond_signal pthread_cond_broadcast clock_wall_ms clock_mono_ms crypto_random \
             uuid_random
SEEDS     ?= 1
SAY       ?= 0

$(BUILD)/sim/sim: $(SIM_OBJ) $(call lib,core model log base)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) $(SIM_CALLS:%=-Wl,--wrap=%) -o $@ $^ $(LIBS)

# SEED=n replays one history (with SAY=1: tells it); SEEDS=n [SEED=first] runs as many.
.PHONY: sim sim-test
sim: $(BUILD)/sim/sim
	$(BUILD)/sim/sim --seed $(if $(filter 0,$(SEED)),1,$(SEED)) --seeds $(SEEDS) --say $(SAY)

sim-test: $(BUILD)/sim/sim
	@$(EACH) '$< --seeds 1000000 --crashes 10000' '$< --sweep 1'

test: deps-test
	@$(MAKE) --no-print-directory test-run

test-run:
	@$(MAKE) --no-print-directory -j$(JOBS) all unit-build fuzz-build
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory corpora
	@$(MAKE) --no-print-directory sim-test
	@$(MAKE) --no-print-directory e2e
	@$(MAKE) --no-print-directory crash

# ---- checks -----------------------------------------------------------------------------------------

.PHONY: check check-static check-contracts check-address check-thread check-tsan check-valgrind coverage format
check: deps-check
	@$(MAKE) --no-print-directory check-static
	@$(MAKE) --no-print-directory check-contracts
	@$(MAKE) --no-print-directory check-address
	@$(MAKE) --no-print-directory check-thread
	@$(MAKE) --no-print-directory -j$(JOBS) unit-build
	@$(MAKE) --no-print-directory check-valgrind
	@$(MAKE) --no-print-directory -j$(JOBS) fuzz-bins
	@$(MAKE) --no-print-directory fuzz-run TIME=5 SEED=1

check-static:
	sh tests/check/format.sh
	$(PYTHON) tests/check/arrows.py
	sh tests/check/headers.sh
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=build/werror WERROR=-Werror all
	sh tests/check/cppcheck.sh
	sh tests/check/tidy.sh

# The last version that Debian's node runs. No package runs a script of its own while it is installed.
REDOCLY_VERSION := 1.34.5
REDOCLY := build/redocly-$(REDOCLY_VERSION)/node_modules/.bin/redocly
$(REDOCLY):
	@echo "Installing with npm below build/, to check: @redocly/cli@$(REDOCLY_VERSION)"
	$(Q)npm install --no-fund --no-audit --ignore-scripts --loglevel=error \
	    --prefix build/redocly-$(REDOCLY_VERSION) @redocly/cli@$(REDOCLY_VERSION)

check-contracts: $(REDOCLY)
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
	    $(REDOCLY) lint --config tests/check/redocly.yaml

check-address:
	@$(MAKE) --no-print-directory SAN=address -j$(JOBS) all unit-build fuzz-build
	@$(MAKE) --no-print-directory SAN=address unit corpora e2e crash

# What has threads: the journal, the password workers, and the server around them.
check-thread:
	@$(MAKE) --no-print-directory SAN=thread -j$(JOBS) all
	@$(MAKE) --no-print-directory SAN=thread unit-log unit-auth unit-core
	@$(MAKE) --no-print-directory SAN=thread crash
	GROUPS_CHAT_BIN=build/tsan/groups-chat $(PYTEST) $(THREAD_FILES:%=tests/e2e/test_%.py)

# The whole of the end-to-end tests; check-thread runs the files that cross all threads.
THREAD_FILES := concurrency messages snapshot
check-tsan:
	@$(MAKE) --no-print-directory SAN=thread -j$(JOBS) all
	@$(MAKE) --no-print-directory SAN=thread e2e

# Counted anew each time: unit tests, corpora, and the whole server.
coverage: deps-test
	@$(MAKE) --no-print-directory SAN=coverage -j$(JOBS) all unit-build fuzz-build
	@find build/coverage -name '*.gcda' -delete
	@$(MAKE) --no-print-directory SAN=coverage unit corpora e2e
	$(PYTHON) tests/check/coverage.py build/coverage/obj 95

# The sanitizers do not see a byte that is read before it is written. Left out is what tries so much
# that it takes minutes here, or measures what valgrind itself changes (memory, descriptors, threads).
VALGRIND_OUT  := base/test_map base/test_text base/test_json_read base/test_ensure model/test_digest \
                 model/test_save model/test_save_messages model/test_timeline net/test_listener
VALGRIND_BINS := $(filter-out $(VALGRIND_OUT:%=$(BUILD)/unit/%),$(foreach r,base model net,$(call unit_bin,$(r)))) \
                 $(BUILD)/unit/log/test_frame $(BUILD)/unit/log/test_window $(BUILD)/unit/log/test_memory
check-valgrind: $(VALGRIND_BINS)
	@$(EACH) $(^:%='valgrind -q --error-exitcode=9 --child-silent-after-fork=yes %')

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

include tests/bench/bench.mk

# ---- install ----------------------------------------------------------------------------------------

.PHONY: install clean
install: all
	install -D -m 0755 $(BUILD)/groups-chat $(DESTDIR)$(PREFIX)/bin/groups-chat

clean:
	rm -rf build

-include $(shell find $(BUILD)/obj build/fuzzer/obj -name '*.d' 2>/dev/null)
