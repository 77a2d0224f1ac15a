# Everything here is one command; the README names the two that matter.
GO ?= go
T  ?= 30s

.PHONY: all build pgo test check fmt-check vet lint cross fuzz bench bench-stages bench-compare bench-count bench-follow bench-live live-equal live-attack golden docs lab filter-truth

all: check

# Where libpcap is not needed the program is static: it runs on every
# distribution, starts a third faster and takes 4 MB less.
ifeq ($(shell $(GO) env GOOS),linux)
STATIC = CGO_ENABLED=0
endif

# The profile makes analysis a tenth faster, and the build a minute longer:
# releases have it, go build and go run do not.
build:
	$(STATIC) $(GO) build -trimpath -ldflags '-s -w' -pgo=testdata/bench/cpu.pgo -o bin/pxescope ./cmd/pxescope

# The profile anew, from the whole command on the traces of make bench.
pgo:
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench BenchmarkAnalyze -benchtime 6x -cpuprofile testdata/bench/cpu.pgo -o bin/cli.test ./cmd/internal/cli

# What CI runs.
check: test lint cross

# All tests, without a C compiler; with one, the concurrent reader also under
# the race detector; in CI also the quick set of the lab.
test: fmt-check vet
	CGO_ENABLED=0 $(GO) test ./...
	@if command -v gcc >/dev/null; then $(GO) test -race ./capture/...; else echo "no gcc: race detector left out"; fi
	@if [ "$$CI" = true ]; then $(MAKE) --no-print-directory lab QUICK=1; fi

fmt-check:
	@out=$$(gofmt -l .); test -z "$$out" || { echo "gofmt needed:"; echo "$$out"; exit 1; }

vet:
	CGO_ENABLED=0 $(GO) vet ./...

lint:
	cd testdata/tools && $(GO) build -o ../../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	CGO_ENABLED=0 bin/staticcheck ./...

# Every platform builds, tests included, without C; s390x is big endian.
cross:
	@for p in darwin/arm64 windows/amd64 freebsd/amd64 linux/arm64 linux/arm linux/s390x; do \
	  echo "vet $$p"; \
	  GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) vet ./... || exit 1; \
	done

# Every fuzz target for T each.
fuzz:
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(T) -fuzzminimizetime 10x $$p || exit 1; \
	  done; \
	done

# pxescope against what else reads captures, on two traces of SIZE megabytes that
# are written once; see testdata/bench/README.md. SIZE=64 takes a minute or two.
SIZE   ?= 1000
ROUNDS ?= 5
bench: build
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/bench ./testdata/bench
	bin/bench -pxescope bin/pxescope -size $(SIZE) -rounds $(ROUNDS)

# What each stage costs: reader, decoder, look-up, every tracker, the engine.
STAGES = ./capture/pcapfile ./classify/...
bench-stages:
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench . -benchmem $(STAGES)

# The stages now and at another commit, make bench-compare BASE=v0.1.0: both are
# built first and then run in turn, so that what else the machine does hits both.
BASE      ?= HEAD
BENCH     ?= Trace|Lookup|Tracker|Decode|ReadPcap|Table
BENCHSTAT ?= golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
bench-compare:
	GO="$(GO)" BENCHSTAT="$(BENCHSTAT)" testdata/bench/compare.sh "$(BASE)" "$(BENCH)" ./capture/pcapfile ./classify ./classify/track ./classify/wire

# What counting in the kernel adds to a packet, as root: next to an empty program
# and behind a filter, by test runs; and next to nftables counters, in a flood.
bench-count:
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench 'BenchmarkProgram|BenchmarkFlood' -benchtime 1x ./bpf/counter

# What the kernel filter that learns ports adds to a packet, as root: next to an
# empty program, and next to the classic filter of the same phase.
bench-follow:
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench . -benchtime 1x ./bpf/follow

# Live capture next to tcpdump, half a million packets a second over veth, as
# root: processor time of the receivers and what they lost.
bench-live: build
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/bench-live ./testdata/bench-live
	bin/bench-live -pxescope bin/pxescope

# Every fixture that a wire can carry, played over one with its own timing, as
# root: live tells the same as analyze. Five minutes, of which most is waiting;
# `make test` plays those that last less than 40 s.
live-equal:
	CGO_ENABLED=0 PXESCOPE_LIVE_EQUAL=1 $(GO) test -count=1 -run TestLiveEqualsAnalyze -timeout 20m ./cmd/internal/cli

# An hour of an attack on the DHCP server, a million made-up machines at 278 a
# second, of four kinds; and a million at 2,000 a second over a wire, as root. The
# collector runs as it does in the command. Most of an hour.
live-attack:
	CGO_ENABLED=0 GOGC=20 PXESCOPE_LIVE_ATTACK=1000000 $(GO) test -count=1 -v -run TestLiveUnderStarvation -timeout 120m ./cmd/internal/cli

# The filter compiler against libpcap at full size, some minutes: 20,000 random
# expressions, each on 20,000 frames. With libpcap's headers installed, TAGS=libpcap
# asks the library; without, tcpdump.
filter-truth:
	FILTER_TRUTH_EXPRESSIONS=20000 FILTER_TRUTH_FRAMES=20000 $(GO) test $(if $(TAGS),-tags $(TAGS)) -count=1 -v -timeout 60m -run 'TestTruth' ./bpf/filter

# Golden reports anew; look at the diff before you commit it.
golden:
	$(GO) test ./classify/report ./cmd/internal/cli -update
	git diff --stat

# The tables of the README, from the catalog and the rules.
docs:
	$(GO) test ./cmd/internal/cli -run "TestREADME$$|TestManPages" -update

# Real servers and firmware in network namespaces, as root on Debian or Ubuntu:
# make lab, make lab QUICK=1 (under 3 minutes), make lab SCENARIO=bios-ipxe-http.
lab:
	GO="$(GO)" testdata/lab/run.sh $(if $(QUICK),--quick) $(if $(KEEP),--keep $(KEEP)) $(SCENARIO)
