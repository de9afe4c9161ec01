package dlp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/mpi"
)

// scriptVariable makes the test binary a rank that runs the script of a seed.
const scriptVariable = "DLP_TEST_SCRIPT"

func scriptProgram(seed string) {
	Main(func(ctx context.Context, world *Comm) error {
		n, err := strconv.ParseUint(seed, 10, 64)
		if err != nil {
			return err
		}
		return runScript(ctx, world, n)
	})
}

// Random scripts between processes, which make connections between pairs.
func TestRandomScriptsOfProcesses(t *testing.T) {
	bin := mpi.Ameexec(t)
	for size := 1; size <= 8; size++ {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ameexec"), "-n", strconv.Itoa(size), os.Args[0])
			cmd.Env = append(mpi.Environ(), scriptVariable+"="+strconv.FormatUint(rand.Uint64(), 10))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
		})
	}
}
