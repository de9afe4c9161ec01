# Targets for the SLURM cluster in docker (test/integration). RELEASE chooses
# the release of Debian or Ubuntu: make cluster-up RELEASE=trixie.

.PHONY: cluster-up cluster-shell cluster-logs cluster-down test-cluster

RELEASE ?= bookworm
CLUSTER = RELEASE=$(RELEASE) test/integration/cluster.sh

# A cluster for people, with the commands in /opt/dlp (which is in PATH).
cluster-up: build
	$(CLUSTER) up
	$(CLUSTER) install bin/*

cluster-shell:
	@$(CLUSTER) shell

cluster-logs:
	@$(CLUSTER) logs

cluster-down:
	$(CLUSTER) down

# The launcher matrix and the faults, on a cluster of their own for each Debian
# release. UPDATE=1 rewrites docs/launchers.md. The timeout is for a machine that is
# busy; a test that hangs is ended by test/deadline.
test-cluster: build
	CLUSTER_BIN="$(CURDIR)/bin" go run ./test/progress -name cluster -each $(REPORTS:%=-report %/cluster) -- -tags=integration -count=1 -timeout=60m -parallel=8 ./test/integration $(if $(UPDATE),-update)
