package bootstrap

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/pmix"
)

// The invitation goes by pmixKey and the number of the program among those
// that the task has run one after another; each rank counts its own under
// pmixCounter. A number of its own for each keeps a rank from the invitation
// to the program before: servers are slow to replace a value.
const (
	pmixKey     = "dlp-go-"
	pmixCounter = "dlp-go-programs"
)

// holdRank keeps other processes of this task off the server until release is
// called. It cannot tell them apart, so a fence that the program of one rank has
// entered lets another program of the next one pass, and one of them waits for
// ranks that have met without it. Where only one rank is known to be, each of its
// programs has all its ranks.
func holdRank(env Env) (release func(), err error) {
	size := 0
	for _, variable := range []string{"OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"} {
		if n, err := environ.Int(env, variable, 1, math.MaxInt32); err == nil {
			size = max(size, n)
		}
	}
	if size < 2 {
		return func() {}, nil
	}
	name := sha256.New()
	for _, variable := range []string{"PMIX_NAMESPACE", "PMIX_RANK", "PMIX_SERVER_URI2", "PMIX_SERVER_URI21", "PMIX_SERVER_URI3", "PMIX_SERVER_URI4", "PMIX_SERVER_URI41"} {
		fmt.Fprintf(name, "%s\x00", environ.Value(env, variable))
	}
	return hold(hex.EncodeToString(name.Sum(nil)[:16]))
}

// nextProgram returns the number of this program, from 0, and counts it. The
// count is on its way with the next Commit.
func nextProgram(ctx context.Context, client *pmix.Client) (number int, err error) {
	text, err := client.Peek(ctx, client.Rank(), pmixCounter)
	if errors.Is(err, pmix.StatusNotFound) {
		text, err = "0", nil
	}
	if err != nil {
		return 0, err
	}
	if number, err = strconv.Atoi(text); err != nil || number < 0 {
		return 0, fmt.Errorf("%s=%q is not ours", pmixCounter, text)
	}
	return number, client.Put(pmixCounter, strconv.Itoa(number+1))
}

// fencesOnce says whether the server is of a version that takes a task for
// finished when its first program finalizes: the fence of the next one never
// ends. Seen with PMIx 3.1.5 and 4.0.0; 4.1 and later do better.
func fencesOnce(env Env) bool {
	version := environ.Value(env, "PMIX_VERSION")
	return strings.HasPrefix(version, "3.1.") || strings.HasPrefix(version, "4.0.")
}

// joinAgain is the method of the second program of a task, and of later ones,
// where the server is good for one alone: they meet by a file, one for each.
func joinAgain(ctx context.Context, env Env, client *pmix.Client, number int, tell func(string)) (*World, error) {
	if err := errors.Join(client.Commit(ctx), client.Finalize(ctx), client.Close()); err != nil {
		return nil, err
	}
	job, err := readFileJob(env)
	if err == nil {
		job.name += "-program-" + strconv.Itoa(number)
		var world *World
		if world, err = meetByFile(ctx, env, job, tell); err == nil {
			return world, nil
		}
	}
	return nil, fmt.Errorf("this is program number %d of its task, and PMIx %s serves the first alone, so the ranks meet by a file: %w",
		number+1, environ.Value(env, "PMIX_VERSION"), err)
}

// adviseFile says what to do where the server is good for one program alone,
// and may have served it already.
func adviseFile(env Env, err error) error {
	return fmt.Errorf("%w; PMIx %s serves one program of each task: if another one has used it before, "+
		"set AME_BOOTSTRAP=pmix-file, and AME_RENDEZVOUS_DIR to a directory that all ranks see", err, environ.Value(env, "PMIX_VERSION"))
}

// adviseFence says what to do when not all ranks came to the fence in time.
// The servers of Slurm 22.05 now and then refuse each other's connections
// (docs/launchers.md), which looks like a missing rank from here.
func adviseFence(env Env, err error) error {
	switch {
	case !errors.Is(err, context.DeadlineExceeded):
		return err
	case fencesOnce(env):
		return adviseFile(env, fmt.Errorf("%w: not all ranks came", err))
	case environ.AnySet(env, "SLURM_STEP_ID"):
		return fmt.Errorf("%w: not all ranks came; if all have started, set SLURM_PMIX_DIRECT_CONN=false or use srun --mpi=none", err)
	}
	return fmt.Errorf("%w: not all ranks came; has every rank started, and this program on each?", err)
}
