package pmix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/dlp-mpi/dlp-go/test/mpi"
	"github.com/dlp-mpi/dlp-go/test/need"
)

// programVariable selects what this test binary does when mpiexec starts it.
// Launchers do not pass on all variables that start with PMIX_.
const programVariable = "DLP_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if name := os.Getenv(programVariable); name != "" {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := programs[name](ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if _, isRank := os.LookupEnv("PMIX_RANK"); isRank {
		// A launcher that drops the variable would have every rank run all
		// tests, which start launchers.
		fmt.Fprintln(os.Stderr, "the tests cannot be a rank: "+programVariable+" is not set")
		os.Exit(2)
	}
	os.Exit(deadline.Each(m).Run())
}

// programs are what a rank can run.
var programs = map[string]func(context.Context) error{
	// hello does what testdata/reference.c does.
	"hello": func(ctx context.Context) error {
		start := time.Now()
		c, err := Connect(ctx, os.LookupEnv)
		if err != nil {
			return err
		}
		first, err := exchange(ctx, c)
		if err != nil {
			return err
		}
		elapsed := time.Since(start)
		last, err := c.Get(ctx, c.Size()-1, "ame")
		if err != nil {
			return err
		}
		fmt.Printf("rank %d of %d, %d of %d on this node: %s, %s\n", c.Rank(), c.Size(), c.LocalRank(), c.LocalSize(), first, last)
		if os.Getenv("DLP_TEST_TIMES") != "" {
			fmt.Printf("ms %.3f\n", elapsed.Seconds()*1e3)
		}
		return c.Finalize(ctx)
	},
	// replace puts three values under one key, one after another.
	"replace": func(ctx context.Context) error {
		c, err := Connect(ctx, os.LookupEnv)
		if err != nil {
			return err
		}
		for round := range 3 {
			text := fmt.Sprintf("round %d", round)
			if c.Rank() == 0 {
				err = errors.Join(c.Put("again", text), c.Commit(ctx))
			}
			if err = errors.Join(err, c.Fence(ctx, true)); err != nil {
				return err
			}
			got, err := c.Get(ctx, 0, "again")
			if err == nil && got != text {
				err = fmt.Errorf("got %q in round %d", got, round)
			}
			if err = errors.Join(err, c.Fence(ctx, false)); err != nil {
				return err
			}
		}
		return c.Finalize(ctx)
	},
	// big sends 1 MB through the server.
	"big": func(ctx context.Context) error {
		c, err := Connect(ctx, os.LookupEnv)
		if err != nil {
			return err
		}
		text := strings.Repeat("0123456789abcdef", 1<<16)
		if c.Rank() == 0 {
			err = errors.Join(c.Put("big", text), c.Commit(ctx))
		}
		got := ""
		if err == nil {
			err = c.Fence(ctx, true)
		}
		if err == nil {
			got, err = c.Get(ctx, 0, "big")
		}
		if err == nil && got != text {
			err = fmt.Errorf("got %d bytes", len(got))
		}
		return errors.Join(err, c.Finalize(ctx))
	},
	// missing asks for keys that are not there.
	"missing": func(ctx context.Context) error {
		c, err := Connect(ctx, os.LookupEnv)
		if err != nil {
			return err
		}
		_, err = c.Get(ctx, 0, "nobody put this")
		if !errors.Is(err, StatusTimeout) && !errors.Is(err, StatusNotFound) {
			return fmt.Errorf("missing key: %w", err)
		}
		fmt.Println(err)
		return c.Finalize(ctx)
	},
	// deferred gets a value before it is put.
	"deferred": func(ctx context.Context) error {
		c, err := Connect(ctx, os.LookupEnv)
		if err != nil {
			return err
		}
		if err := c.Fence(ctx, false); err != nil {
			return err
		}
		if c.Rank() == 0 {
			err = errors.Join(c.Put("late", "now"), c.Commit(ctx))
		} else {
			var got string
			if got, err = c.Get(ctx, 0, "late"); err == nil && got != "now" {
				err = fmt.Errorf("got %q", got)
			}
		}
		return errors.Join(err, c.Fence(ctx, false), c.Finalize(ctx))
	},
	// vanish ends rank 1 without a word; the others stay in a fence.
	"vanish": func(ctx context.Context) error {
		c, err := Connect(ctx, os.LookupEnv)
		if err != nil || c.Rank() == 1 {
			return err
		}
		return c.Fence(ctx, true)
	},
	// outlive works on after it has finalized; rank 1 ends long before.
	"outlive": func(ctx context.Context) error {
		c, err := Connect(ctx, os.LookupEnv)
		if err != nil {
			return err
		}
		if err := errors.Join(c.Fence(ctx, false), c.Finalize(ctx)); err != nil || c.Rank() == 1 {
			return err
		}
		<-time.After(time.Second) // what is shown is that nothing happens
		fmt.Println("still here")
		return nil
	},
	// abort kills the job from rank 1.
	"abort": func(ctx context.Context) error {
		c, err := Connect(ctx, os.LookupEnv)
		if err != nil {
			return err
		}
		if c.Rank() == 1 {
			err = c.Abort(ctx, 3, "goodbye")
		}
		<-ctx.Done()
		return errors.Join(err, ctx.Err())
	},
	// available prints whether and why not; it does not connect.
	"available": func(context.Context) error {
		fmt.Println("available:", Available(os.LookupEnv))
		return nil
	},
}

// exchange publishes a value on every rank and returns that of rank 0.
func exchange(ctx context.Context, c *Client) (string, error) {
	if err := c.Put("ame", fmt.Sprintf("value of rank %d", c.Rank())); err != nil {
		return "", err
	}
	if err := c.Commit(ctx); err != nil {
		return "", err
	}
	if err := c.Fence(ctx, true); err != nil {
		return "", err
	}
	return c.Get(ctx, 0, "ame")
}

// outcome is how a job under mpiexec ended.
type outcome struct {
	exit   int
	lines  []string // of stdout, sorted
	stderr string
}

// mpiexec runs n ranks of a command under Open MPI.
func mpiexec(t testing.TB, n int, variables []string, command ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := mpi.OpenMPI(ctx, t, append([]string{"-n", strconv.Itoa(n)}, command...)...)
	cmd.WaitDelay = time.Minute / 2
	cmd.Env = append(cmd.Env, variables...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "mpiexec hangs: %s", stderr.String())
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	slices.Sort(lines)
	return outcome{cmd.ProcessState.ExitCode(), lines, stderr.String()}
}

// run starts n ranks of one of the programs.
func run(t testing.TB, n int, program string, variables ...string) outcome {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return mpiexec(t, n, append(variables, programVariable+"="+program), self)
}

func TestOpenMPI(t *testing.T) {
	t.Run("hello", func(t *testing.T) {
		for _, n := range []int{1, 2, 5, 32} {
			got := run(t, n, "hello")
			require.Zero(t, got.exit, got.stderr)
			var want []string
			for r := range n {
				want = append(want, fmt.Sprintf("rank %d of %d, %d of %d on this node: value of rank 0, value of rank %d", r, n, r, n, n-1))
			}
			slices.Sort(want)
			assert.Equal(t, want, got.lines)
		}
	})
	t.Run("described buffers", func(t *testing.T) {
		got := run(t, 3, "hello", "PMIX_MCA_bfrops_base_default_type=2")
		require.Zero(t, got.exit, got.stderr)
		assert.Len(t, got.lines, 3)
	})
	for _, program := range []string{"replace", "big", "deferred"} {
		t.Run(program, func(t *testing.T) {
			got := run(t, 4, program)
			assert.Zero(t, got.exit, got.stderr)
			assert.Empty(t, got.stderr)
		})
	}
	t.Run("missing", func(t *testing.T) {
		got := run(t, 2, "missing")
		require.Zero(t, got.exit, got.stderr)
		assert.Contains(t, got.lines[0], `"nobody put this" of rank 0: PMIX_ERR_TIMEOUT (-24)`)
	})
	t.Run("vanish", func(t *testing.T) {
		got := run(t, 3, "vanish")
		assert.NotZero(t, got.exit)
	})
	t.Run("outlive", func(t *testing.T) {
		got := run(t, 3, "outlive")
		require.Zero(t, got.exit, got.stderr)
		assert.Equal(t, []string{"still here", "still here"}, got.lines)
	})
	t.Run("abort", func(t *testing.T) {
		got := run(t, 3, "abort")
		assert.Equal(t, 3, got.exit, got.stderr)
	})
}

// User namespaces around the ranks, where the server is outside: one that
// keeps the ids is fine, any other must not be tried.
func TestOpenMPIUserNamespace(t *testing.T) {
	unshare := need.Program(t, "unshare")
	if out, err := exec.Command(unshare, "--user", "--map-root-user", "true").CombinedOutput(); err != nil {
		need.Unable(t, "this machine allows no user namespaces: %s", out)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	shifted := mpiexec(t, 2, []string{programVariable + "=available"},
		unshare, "--user", "--map-user=12345", "--map-group=12345", self)
	require.Zero(t, shifted.exit, shifted.stderr)
	assert.Contains(t, shifted.lines[0], fmt.Sprintf("user id 12345 is %d outside", os.Geteuid()))

	if os.Geteuid() != 0 {
		return // --map-root-user shifts too
	}
	kept := mpiexec(t, 2, []string{programVariable + "=hello"}, unshare, "--user", "--map-root-user", self)
	require.Zero(t, kept.exit, kept.stderr)
	assert.Equal(t, "rank 0 of 2, 0 of 2 on this node: value of rank 0, value of rank 1", kept.lines[0])
}

// buildReference compiles the C client.
func buildReference(t testing.TB) string {
	need.Program(t, "gcc")
	flags, err := exec.Command(need.Program(t, "pkg-config"), "--cflags", "--libs", "pmix").Output()
	if err != nil {
		need.Missing(t, "libpmix", "libpmix-dev")
	}
	program := filepath.Join(t.TempDir(), "reference")
	arguments := append([]string{"-O1", "-o", program, "testdata/reference.c"}, strings.Fields(string(flags))...)
	out, err := exec.Command("gcc", arguments...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// The C library, in a job of its own at the same time, sees the same.
func TestOpenMPIReference(t *testing.T) {
	need.Program(t, "mpiexec.openmpi")
	reference := buildReference(t)
	for _, n := range []int{1, 3, 8} {
		theirs := make(chan outcome)
		go func() { theirs <- mpiexec(t, n, nil, reference) }()
		ours := run(t, n, "hello")
		want := <-theirs
		require.Zero(t, ours.exit, ours.stderr)
		require.Zero(t, want.exit, want.stderr)
		assert.Equal(t, want.lines, ours.lines)
	}
}

// Time from connect until the slowest of 32 ranks knows the value of rank 0.
func BenchmarkOpenMPI32Ranks(b *testing.B) {
	self, err := os.Executable()
	require.NoError(b, err)
	for _, client := range []struct {
		name, path string
	}{{"go", self}, {"c", buildReference(b)}} {
		b.Run(client.name, func(b *testing.B) {
			sum := 0.0
			for b.Loop() {
				got := mpiexec(b, 32, []string{programVariable + "=hello", "DLP_TEST_TIMES=1"}, client.path)
				require.Zero(b, got.exit, got.stderr)
				slowest := 0.0
				for _, line := range got.lines {
					if text, ok := strings.CutPrefix(line, "ms "); ok {
						ms, err := strconv.ParseFloat(text, 64)
						require.NoError(b, err)
						slowest = max(slowest, ms)
					}
				}
				sum += slowest
			}
			b.ReportMetric(sum/float64(b.N), "ms-slowest-rank/op")
		})
	}
}
