// Package integration judges the toolkit by real launchers: SLURM, MPICH's
// hydra and Open MPI as Debian ships them, on clusters of four containers.
//
// The tests need the build tag integration and docker:
//
//	make test-cluster                                  # both Debian releases
//	go test -tags integration ./test/integration -releases trixie -run TestMatrix
//
// Each run builds two clusters of its own for every release (cluster.sh). On the
// one, tests run side by side. The other belongs to one test at a time, which may
// break it. Statically linked commands are copied into both: the machines share
// no file system. The clusters are taken down at the end, whatever the end is.
//
// Where there can be no cluster the tests are skipped, and cluster.sh check says
// why. In CI, where the variable CI is not empty, they fail.
//
// The matrix compares with docs/launchers.md; -update writes that page. The
// programs of test/payload are launched in ways that mislead: each must come out
// right, or be refused with what to do.
package integration
