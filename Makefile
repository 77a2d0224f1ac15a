# Everything here is one command; the README names the two that matter.
GO ?= go
T  ?= 30s

.PHONY: all build test check fmt-check vet lint cross fuzz bench golden docs

all: check

build:
	$(GO) build -trimpath -o bin/pxescope ./cmd/pxescope

# What CI runs.
check: fmt-check vet lint test cross

test:
	CGO_ENABLED=0 $(GO) test ./...

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
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(T) $$p || exit 1; \
	  done; \
	done

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

# Golden reports anew; look at the diff before you commit it.
golden:
	$(GO) test ./classify/... ./cmd/... -update
	git diff --stat

# The tables of the README, from the catalog and the rules.
docs:
	$(GO) test ./cmd/internal/cli -run "TestREADME$$|TestManPages" -update
