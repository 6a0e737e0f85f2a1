# ---- bench ------------------------------------------------------------------------------------
# Ours against the floor, in one run.
#
#   make bench CASES="fan-out-100x10 latency" ROUNDS=5 SECONDS=3 STRICT=1
#   make bench-quick      each case once and briefly: does it still work?
#
# CASES is any of those that `python3 tests/bench/bench.py --list` prints, or the start of names;
# STRICT=1 makes a missed "must" fail; BENCH_ARGS goes to bench.py as it is.

CASES      ?=
ROUNDS     ?=
SECONDS    ?=
STRICT     ?=
BENCH_ARGS ?=

BENCH_LOAD  := $(BUILD)/bench/load
BENCH_FLOOR := $(BUILD)/bench/floor
BENCH_HASH  := $(BUILD)/bench/hashread
BENCH_LOG   := $(BUILD)/bench/journal
BENCH_STATE := $(BUILD)/bench/state
BENCH_EYE   := $(BUILD)/bench/witness
BENCH_BINS  := $(BENCH_LOAD) $(BENCH_FLOOR) $(BENCH_HASH) $(BENCH_LOG) $(BENCH_STATE) $(BENCH_EYE)

$(BENCH_LOAD): $(call obj,$(addprefix tests/bench/,load.c client.c cpu.c)) $(call lib,base)
$(BENCH_FLOOR): $(call obj,$(addprefix tests/bench/,floor.c floor_journal.c)) $(call lib,base)
$(BENCH_HASH): $(call obj,tests/bench/hashread.c) $(call lib,base)
$(BENCH_LOG): $(call obj,tests/bench/journal.c) $(call lib,log base)
$(BENCH_STATE): $(call obj,tests/bench/state.c) $(call lib,model log base)
$(BENCH_EYE): $(call obj,tests/bench/witness.c) $(call lib,base)
$(BENCH_BINS):
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lsodium -lutf8proc

.PHONY: bench bench-quick bench-build
bench-build: $(BENCH_BINS)

bench: deps
	@$(MAKE) --no-print-directory all bench-build
	$(PYTHON) tests/bench/bench.py --build $(BUILD) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	    $(if $(SECONDS),--seconds $(SECONDS)) $(if $(STRICT),--strict) $(BENCH_ARGS) $(CASES)

bench-quick: deps
	@$(MAKE) --no-print-directory all bench-build
	$(PYTHON) tests/bench/bench.py --build $(BUILD) --quick $(if $(STRICT),--strict) \
	    $(BENCH_ARGS) $(CASES)
