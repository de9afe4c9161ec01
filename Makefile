# make demo   build, and run the main job on this machine; needs Go alone
# make test   all tests: units, real launchers, and the SLURM cluster in docker
# make bench  beside what else there is, as ratios from one run (QUICK=1: a first look)
# make scaling   a job of RANKS (10,000) in virtual time: docs/scaling.md
# make fuzz   any input to all that reads input, FUZZTIME (20s) for each target
# make chaos  ranks are killed, stopped, slowed and cut off in maps, for CHAOS_TIME (3m), by SEED
# make soak   mixed work on 8 ranks for TIME (10m): no rank may grow
# make lint   formatting, vet, staticcheck, shell scripts
# make install PREFIX=/usr/local   commands, manual pages and completions
# make clean  also the docker images that the tests have made
# The cluster's own targets are in test/integration/cluster.mk.

.PHONY: all build cross demo install test test-unit fuzz chaos soak bench scaling lint clean

COMMANDS = ./cmd/... ./examples/...
GOBUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=auto

# The race detector needs a C compiler; CI is to fail without one.
RACE := $(shell command -v $${CC:-gcc} >/dev/null && echo -race)
ifneq ($(CI),)
RACE := -race
endif

all: build

# Static binaries: copy bin/ to a cluster and it runs there.
build:
	mkdir -p bin
	$(GOBUILD) -o bin/ $(COMMANDS)
ifneq ($(CI),)
	$(MAKE) cross
endif

# Users' other machines: all is compiled, and nothing linked.
cross:
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go list -export ./... >/dev/null
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 go list -export ./... >/dev/null

demo: build
	bin/ameexec -n 4 bin/dlp-hello
	bin/ameexec bin/corpus --compare

PREFIX ?= /usr/local
INSTALLED := $(notdir $(wildcard cmd/*))

install: build
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install $(INSTALLED:%=bin/%) "$(DESTDIR)$(PREFIX)/bin"
	go run ./internal/manual -to "$(DESTDIR)$(PREFIX)" -bin bin $(INSTALLED)

# The cluster waits more than it works, so the units are tested beside it, and
# what else BESIDE names. What has failed of them stands at the end.
test: build
	@reports=$$(mktemp -d); trap 'rm -rf "$$reports"' EXIT; status=0; \
	$(MAKE) -j3 --no-print-directory REPORTS="$$reports" test-unit test-cluster $(BESIDE) || status=$$?; \
	test/leftovers.sh; cat "$$reports"/* 2>/dev/null; exit $$status

# The timeout is for a package, which beside the cluster takes its time; a test that
# hangs is ended by test/deadline.
test-unit:
	go run ./test/progress -name unit $(REPORTS:%=-report %/unit) -- $(RACE) -timeout=30m -shuffle=on ./...

# Two side by side. The tests beside which CI runs this have the right of way.
FUZZTIME ?= 20s
fuzz:
	nice -n 10 go run ./test/fuzz -time $(FUZZTIME)

# SEED=0 draws one, which is printed.
CHAOS_TIME ?= 3m
SEED ?= 0
chaos: build
	go run ./test/chaos -time $(CHAOS_TIME) -seed $(SEED)

TIME ?= 10m
soak: build
	go run ./test/soak -time $(TIME)

bench:
	go run ./bench

# 10,000 ranks take some 18 GiB of memory and three minutes.
RANKS ?= 10000
ITEMS ?= 100
scaling:
	GOMEMLIMIT=14GiB go test ./dlp -count=1 -timeout=3h -run '^TestScaling$$' -v -ranks $(RANKS) -items $(ITEMS)

# The pictures of the README, from a run of some seconds.
pictures: build
	$(GOBUILD) -o bin/ ./bench/pictures
	bin/ameexec -n 4 bin/pictures docs/figures

lint:
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted"; exit 1; fi
	go vet ./...
	go vet -tags integration ./test/...
	go tool staticcheck ./...
	go tool staticcheck -tags integration ./test/...
	go mod tidy -diff
	shellcheck $$(git ls-files | xargs awk 'FNR == 1 && /^#!.*sh$$/ { print FILENAME } { nextfile }')

# Also what the tests have left behind.
clean:
	rm -rf bin
	test/integration/cluster.sh clean

include test/integration/cluster.mk
