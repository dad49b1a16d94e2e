# The targets that people and CI run. `make test` installs what the tests need where it can, and runs everything.
GO            ?= go
export CGO_ENABLED = 0
STATICCHECK    = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME      ?= 3s

.PHONY: build demo test setup unit race e2e fuzz lint generate generated bench clean

build: ## Build the one binary into bin/.
	$(GO) build -trimpath -o bin/lakegate ./cmd/lakegate

demo: ## Run the demonstration.
	$(GO) run ./cmd/lakegate demo

test: setup lint generated unit race e2e ## Everything.

setup: ## Install what the tests need (Debian or Ubuntu as root), else say what is missing.
	./test/setup.sh

unit: ## All tests but those over real processes, with a PostgreSQL of their own.
	$(GO) test -timeout 15m $$($(GO) list ./... | grep -v -e '/test/e2e')

race: ## The rooms that share memory between requests, under the race detector.
	CGO_ENABLED=1 $(GO) test -race -short -timeout 15m ./internal/store ./internal/session ./internal/directory ./internal/center ./internal/grants ./internal/token ./internal/trail/... ./internal/sink/... ./internal/delivery ./internal/console ./internal/gateway ./internal/server ./internal/signin ./internal/portal ./internal/ldap ./internal/visit ./internal/authn ./internal/account ./internal/storage/remote

e2e: build ## The walkthrough, the data application and the attacks over the real process, with real clients.
	LAKEGATE_BINARY=$(CURDIR)/bin/lakegate $(GO) test -count=1 -timeout 20m ./test/e2e/...

fuzz: ## Every fuzz target for FUZZTIME.
	./test/fuzz.sh $(FUZZTIME)

lint:
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "not formatted: $$out"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

generate: ## Make the generated code anew from models/.
	$(GO) generate ./...

generated: generate ## Fail when generated code is stale.
	git diff --exit-code -- internal/api

bench: ## The benchmarks of docs/benchmarks.md.
	$(GO) test -run '^$$' -bench . -benchmem ./internal/...

clean:
	rm -rf bin artifacts
