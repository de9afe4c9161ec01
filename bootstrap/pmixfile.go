package bootstrap

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dlp-mpi/dlp-go/slurm"
)

// pmixFileMethod is the method of launchers of the PMIx family whose server
// we cannot speak to: too old, too new, or outside of our container. They
// tell rank and size by other variables, and nothing else.
type pmixFileMethod struct{}

func (pmixFileMethod) Name() string { return "pmix-file" }

func (pmixFileMethod) Detect(env Env) error {
	_, err := readFileJob(env)
	return err
}

func (pmixFileMethod) Join(ctx context.Context, env Env) (*World, error) {
	job, err := readFileJob(env)
	if err != nil {
		return nil, err
	}
	world := job.world
	var file rendezvousFile
	if world.Size > 1 {
		dir, err := rendezvousDirectory(env, world.LocalSize == world.Size)
		if err != nil {
			return nil, err
		}
		if file, err = newRendezvousFile(env, dir, job.name, job.secret); err != nil {
			return nil, err
		}
	}
	if err := meetByFile(ctx, env, &world, job.name, file); err != nil {
		return nil, err
	}
	return &world, nil
}

// fileJob is what a rank knows of its job before it has met the others.
type fileJob struct {
	world World
	name  string // the same on all ranks, and rarely on another job

	// secret is a number that the launcher draws for each job and tells all
	// its ranks, or "". It goes into the file's name as a hash.
	secret string
}

func readFileJob(env Env) (fileJob, error) {
	namespace, hasNamespace := lookup(env, "PMIX_NAMESPACE")
	if !hasNamespace && !anySet(env, "OMPI_COMM_WORLD_RANK") {
		return fileJob{}, notDetected("neither PMIX_NAMESPACE nor OMPI_COMM_WORLD_RANK is set")
	}
	if err := outerStep(env); err != nil {
		return fileJob{}, err
	}
	// A namespace of Slurm's is newer than variables of Open MPI around the step.
	if anySet(env, "OMPI_COMM_WORLD_RANK") && !strings.HasPrefix(namespace, "slurm.pmix.") {
		return openMPIJob(env, namespace)
	}
	step, err := slurm.StepFromEnv(env)
	if errors.Is(err, slurm.ErrNoStep) {
		return fileJob{}, notDetected("PMIX_NAMESPACE is set, but nothing tells the number of ranks (no OMPI_COMM_WORLD_SIZE, no Slurm step)")
	}
	if err != nil {
		return fileJob{}, err
	}
	world := World{Rank: step.Rank, Size: step.Size, Host: nodeName(step.Node), LocalRank: step.LocalRank, LocalSize: step.LocalSize}
	return fileJob{world: world, name: step.Name()}, nil
}

// openMPIJob reads what mpiexec of any Open MPI sets. The SLURM_* variables
// beside them are of its own daemon and differ from node to node.
func openMPIJob(env Env, namespace string) (fileJob, error) {
	rank, size, err := rankAndSize(env, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")
	if err != nil {
		return fileJob{}, err
	}
	if namespace == "" {
		namespace = value(env, "OMPI_MCA_ess_base_jobid")
	}
	world := World{Rank: rank, Size: size, Host: nodeName(value(env, "PMIX_HOSTNAME")), LocalRank: -1, LocalSize: -1}
	if n, err := intVariable(env, "OMPI_COMM_WORLD_LOCAL_SIZE", 1, size); err == nil {
		world.LocalSize = n
	}
	if n, err := intVariable(env, "OMPI_COMM_WORLD_LOCAL_RANK", 0, math.MaxInt32); err == nil && n < world.LocalSize {
		world.LocalRank = n
	}
	return fileJob{
		world: world,
		name:  "openmpi-" + namespace,
		// Drawn by mpiexec of Open MPI up to 4.1. Its namespaces come from
		// process ids, which repeat soon in containers.
		secret: value(env, "OMPI_MCA_orte_precondition_transports"),
	}, nil
}

// rendezvousDirectory returns the directory in which the ranks of a job meet.
func rendezvousDirectory(env Env, oneNode bool) (string, error) {
	if dir, ok := lookup(env, "AME_RENDEZVOUS_DIR"); ok {
		if info, err := os.Stat(dir); err != nil {
			return "", fmt.Errorf("AME_RENDEZVOUS_DIR: %w", err)
		} else if !info.IsDir() {
			return "", fmt.Errorf("AME_RENDEZVOUS_DIR=%s is not a directory", dir)
		}
		return filepath.Abs(dir)
	}
	if dir, ok := lookup(env, "PMIX_SERVER_TMPDIR"); ok && oneNode {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir, nil
		} // it is outside of our container
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("working directory: %w: set AME_RENDEZVOUS_DIR to a directory that all ranks see", err)
	}
	if oneNode || sharedFileSystem(dir) != "" {
		return dir, nil
	}
	return "", fmt.Errorf("the ranks are on several nodes and %s is on no network file system that we know: "+
		"set AME_RENDEZVOUS_DIR to a directory that all ranks see, or, in a Slurm step, AME_BOOTSTRAP=slurm", dir)
}

// clockSkew is how far the clocks of nodes and file servers may be apart.
const clockSkew = 2 * time.Minute

// newRendezvousFile names the file of a job in dir. The name and the secret
// must be the same on all ranks.
//
// No rank waits longer than AME_TIMEOUT, rank 0 included, so a file that is
// older by that than this rank is of another job.
func newRendezvousFile(env Env, dir, name, secret string) (rendezvousFile, error) {
	timeout, err := Timeout(env)
	if err != nil {
		return rendezvousFile{}, err
	}
	hash := sha256.Sum256([]byte(name + "\x00" + secret))
	return rendezvousFile{
		dir:    dir,
		name:   fmt.Sprintf(".dlp-go-%s-%s", fileSafe(name), hex.EncodeToString(hash[:8])),
		oldest: time.Now().Add(-timeout - clockSkew),
	}, nil
}

// maxNameInFile keeps file names short enough for every file system, in bytes.
const maxNameInFile = 80

// fileSafe is name without what a file name cannot hold; it is for people,
// the hash beside it tells names apart.
func fileSafe(name string) string {
	safe := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)) {
			return r
		}
		return '_'
	}, name)
	return safe[:min(len(safe), maxNameInFile)]
}
