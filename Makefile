# cmctl: everything a developer does, one line each. `make help` lists it.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
# Keys on tokens want cgo, which Go uses where it finds a C compiler.
CGO     ?= $(shell $(GO) env CGO_ENABLED)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X github.com/cmctl/cmctl/pkg/cli.version=$(VERSION) -X github.com/cmctl/cmctl/pkg/sandbox/sandboxcli.version=$(VERSION)

# Tools are Go modules, at these versions, built into bin/tools on first use.
TOOLS         := $(CURDIR)/bin/tools
GOTESTSUM     := $(TOOLS)/gotestsum-v1.13.0
GOLANGCI_LINT := $(TOOLS)/golangci-lint-v2.15.0
GORELEASER    := $(TOOLS)/goreleaser-v2.16.0

SETUP     := testdata/setup
GENERATED := completions docs/man docs/reference
PROFILE   := bin/cover.out
FUZZTIME  ?= 20000x
RACY      := ^TestScripts$$/^all$$/^(job|signals|token)$$/^(kill|settle|resume|signals|stalled|life|pin)$$


.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## an officer's day: search, issue, download, hold, reinstate, revoke, against the sandbox
	@PATH="$(CURDIR)/bin:$$PATH" bin/cmctl-sandbox exec --certs 200 -- docs/demo.sh

.PHONY: build
build: ## bin/cmctl and bin/cmctl-sandbox
	@mkdir -p bin
	CGO_ENABLED=$(CGO) $(GO) build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/cmctl ./cmd/cmctl-sandbox
	@[ "$(CGO)" = 1 ] || echo 'bin/cmctl opens no keys on tokens (PKCS#11): it was built without cgo, which wants a C compiler' >&2

.PHONY: cross
cross: ## the other systems: Linux on ARM and Windows with tokens, macOS and a static program without
	@$(SETUP)/components.sh install cross
	@$(SETUP)/components.sh missing cross
	@$(SETUP)/cross.sh

.PHONY: test
test: $(GOTESTSUM) ## what every change must pass, with the coverage of pkg
	@$(SETUP)/components.sh install test
	@$(GOTESTSUM) --format pkgname -- -timeout 30m -parallel 4 -coverpkg=./pkg/... -coverprofile=$(PROFILE) ./...
	@$(SETUP)/coverage.sh $(PROFILE) | tail -n 1
	@$(SETUP)/components.sh missing test

.PHONY: test-all
test-all: test referees ## test, and the big referees

.PHONY: referees
referees: $(GOTESTSUM) ## BouncyCastle judges our CMS, NSS and openCryptoki lend their tokens (installs a JDK)
	@$(SETUP)/components.sh install referees
	@$(GOTESTSUM) --format testname -- -tags referees -run Referee ./pkg/...
	@$(SETUP)/components.sh missing referees

.PHONY: race
race: $(GOTESTSUM) ## the tests under the race detector; of the scripts, those where most goes on at once
	@$(SETUP)/components.sh install test
	@$(GOTESTSUM) --format pkgname -- -race -timeout 30m -parallel 4 -skip '^Test(Scripts|RefereeTokens)$$' ./...
	@$(GOTESTSUM) --format pkgname -- -race -timeout 30m -parallel 4 -run '$(RACY)' ./pkg/clitest

.PHONY: race-scripts
race-scripts: $(GOTESTSUM) ## the scripts under the race detector: programs five times slower, half an hour
	@$(SETUP)/components.sh install test
	@$(GOTESTSUM) --format pkgname -- -race -timeout 90m -parallel 4 -run '^TestScripts$$' ./pkg/clitest

.PHONY: fuzz-short
fuzz-short: ## each fuzz target for FUZZTIME (20000 inputs; or 1m)
	@$(GO) list -f '{{.Dir}}' ./pkg/... | while read -r dir; do \
	  { grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$$dir"/*_test.go 2>/dev/null || true; } | while read -r _ target; do \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null; \
	  done; \
	done

.PHONY: cover
cover: test ## the coverage of every package of pkg, least first
	@$(SETUP)/coverage.sh $(PROFILE)

.PHONY: golden
golden: ## rewrite the golden files; read the diff
	UPDATE_GOLDEN=1 $(GO) test -count=1 ./pkg/...

.PHONY: gen
gen: ## completions, man pages and reference, from the command tree
	$(GO) run ./cmd/cmctl-docs

.PHONY: check
check: ## formatting, vet, go.mod, and generated files up to date
	@unformatted=$$(gofmt -l cmd pkg bench testdata); [ -z "$$unformatted" ] || { echo "gofmt -w these: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) mod tidy -diff
	@$(MAKE) --no-print-directory gen
	@changed=$$(git status --porcelain -- $(GENERATED)); [ -z "$$changed" ] || { echo "generated files are not those committed (make gen):"; echo "$$changed"; exit 1; }

.PHONY: lint
lint: $(GOLANGCI_LINT) $(GORELEASER) ## golangci-lint and the release configuration
	$(GOLANGCI_LINT) run ./...
	$(GORELEASER) check --quiet

.PHONY: bench
bench: build ## the speed limits, as ratios in one run; fails where one is missed
	@$(SETUP)/components.sh install bench
	@CGO_ENABLED=$(CGO) $(GO) build -o bin/ ./bench/hello ./bench/rawloop ./bench/rawrevoke
	@PATH="$(CURDIR)/bin:$$PATH" bench/run.sh
	@$(SETUP)/components.sh missing bench

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist

# tool installs MODULE at the version in the target's name, under that name.
define tool
	@mkdir -p $(TOOLS)/new
	GOBIN=$(TOOLS)/new $(GO) install $(1)@$(lastword $(subst -, ,$(@F)))
	@mv $(TOOLS)/new/$(notdir $(patsubst %/v2,%,$(1))) $@
endef

$(GOTESTSUM):
	$(call tool,gotest.tools/gotestsum)
$(GOLANGCI_LINT):
	$(call tool,github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
$(GORELEASER):
	$(call tool,github.com/goreleaser/goreleaser/v2)
