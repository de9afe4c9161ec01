package dlp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/mpi"
)

// messageChecks are what programs rely on, with the section of the MPI
// standard (version 4.0) that fixes it. All ranks run each of them; they work
// with any number of ranks, and leave no message behind.
var messageChecks = []struct {
	name  string
	check func(ctx context.Context, c *Comm) error
}{
	{"3.2.2: a message may be empty", checkEmpty},
	{"3.2.4: a rank may send to itself, and receive from any", checkSelf},
	{"3.2.5: the status says source, tag and length", checkStatus},
	{"3.5: messages do not overtake each other", checkOrder},
	{"3.5: of different tags, the one that is asked for comes", checkTags},
	{"3.5: ranks that send first do not wait for each other below the eager limit", checkEager},
	{"3.7.4: ranks that begin to send first do not wait for each other", checkUnbounded},
	{"3.7.4: order holds between blocking and nonblocking calls", checkMixedOrder},
	{"3.7.4: a nonblocking send progresses while its sender computes", checkProgress},
	{"3.7.5: multiple completions", checkCompletions},
	{"3.8.2: several goroutines probe, then receive what each has found", checkProbe},
	{"3.8.4: a cancelled receive takes nothing", checkCancel},
	{"3.10: send and receive at once in a ring", checkRing},
	{"values are encoded as in collectives", checkValues},
}

func TestMessages(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5} {
		for _, m := range messageChecks {
			t.Run(fmt.Sprintf("%s/%d", m.name, size), func(t *testing.T) {
				require.NoError(t, errors.Join(eachRank(t, size, true, m.check)...))
			})
		}
	}
}

// TestMessagesOfProcesses runs the checks between processes.
func TestMessagesOfProcesses(t *testing.T) {
	ameexec := filepath.Join(mpi.Ameexec(t), "ameexec")
	for _, size := range []int{1, 2, 3, 5} {
		cmd := exec.CommandContext(t.Context(), ameexec, "-n", fmt.Sprint(size), os.Args[0])
		cmd.Env = append(mpi.Environ(), mainVariable+"=messages")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%d ranks: %s", size, out)
		assert.Equal(t, fmt.Sprintf("%d checks\n", len(messageChecks)), string(out))
	}
}

// checkMessages is the program of TestMessagesOfProcesses.
func checkMessages(ctx context.Context, world *Comm) error {
	for _, m := range messageChecks {
		if err := m.check(ctx, world); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if err := world.Barrier(ctx); err != nil {
			return err
		}
	}
	if world.IsRoot() {
		fmt.Println(len(messageChecks), "checks")
	}
	return nil
}

// want returns an error if got is not what is wanted.
func want[T any](what string, wanted, got T) error {
	if !reflect.DeepEqual(wanted, got) {
		return fmt.Errorf("%s: want %v, got %v", what, wanted, got)
	}
	return nil
}
