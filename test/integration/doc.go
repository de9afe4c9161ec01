// Package integration judges the toolkit by real launchers: SLURM, MPICH's
// hydra and Open MPI as Debian ships them, on a cluster of four containers.
//
// The tests need the build tag integration and docker:
//
//	make test-cluster                                  # both Debian releases
//	go test -tags integration ./test/integration -releases trixie -run TestMatrix
//
// Each run builds a cluster of its own for every release (cluster.sh), copies
// statically linked commands into it (the machines share no file system), and
// takes it down at the end, whatever the end is. Where there can be no cluster
// (cluster.sh check says why) the tests are skipped; in CI, where the variable CI
// is not empty, they fail.
//
// The matrix compares with docs/launchers.md; -update writes that page.
package integration
