// Fuzz runs all fuzz targets of some packages, each for a while.
//
//	go run ./test/fuzz [-time 20s] [-at-once 2] [packages]
//
// A line says which target has ended, how, and how many are left. Where one has
// failed, its words follow, and the name of the file in testdata/fuzz that holds
// the input: to be committed with the fix, since go test runs it from then on.
// Inputs that reached new code stay in Go's build cache, from which the next run
// goes on. The exit status is 1 if a target has failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	each := flag.Duration("time", 20*time.Second, "how long each target runs")
	atOnce := flag.Int("at-once", 2, "targets that run side by side")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *each, *atOnce, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

// run fuzzes the targets of packages.
func run(ctx context.Context, each time.Duration, atOnce int, packages []string) error {
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	found, err := targets(ctx, packages)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("no fuzz target")
	}
	cache, err := output(ctx, "go", "env", "GOCACHE")
	if err != nil {
		return err
	}
	binaries, err := os.MkdirTemp("", "fuzz-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(binaries)
	r := &runner{each: each, cache: filepath.Join(strings.TrimSpace(cache), "fuzz"), binaries: binaries, left: len(found)}
	return r.all(ctx, found, atOnce)
}

// runner runs targets.
type runner struct {
	each            time.Duration
	cache, binaries string // directories

	mu     sync.Mutex
	left   int
	failed []string
}

// all runs targets, some side by side.
func (r *runner) all(ctx context.Context, found []target, atOnce int) error {
	free := make(chan struct{}, max(1, atOnce))
	var running sync.WaitGroup
	for i, t := range found {
		binary := filepath.Join(r.binaries, strings.ReplaceAll(t.pkg, "/", "-"))
		if i == 0 || found[i-1].pkg != t.pkg {
			if err := build(ctx, t, binary); err != nil {
				running.Wait()
				return err
			}
		}
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			running.Wait()
			return context.Cause(ctx)
		}
		running.Go(func() {
			r.one(ctx, t, binary)
			<-free
		})
	}
	running.Wait()
	if len(r.failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(r.failed, ", "))
	}
	return ctx.Err()
}

// build makes the test binary of a target's package, which tells the fuzzer
// what code an input has reached.
func build(ctx context.Context, t target, binary string) error {
	_, err := output(ctx, "go", "test", "-c", "-vet=off", "-fuzz=.", "-o", binary, t.pkg)
	return err
}

// one runs a target and shows how it went.
func (r *runner) one(ctx context.Context, t target, binary string) {
	cmd := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.fuzz=^"+t.name+"$", "-test.parallel=1",
		"-test.fuzzminimizetime=1s", // by default a minute, in which nothing new is tried
		"-test.fuzztime="+r.each.String(), "-test.fuzzcachedir="+filepath.Join(r.cache, filepath.FromSlash(t.pkg)))
	cmd.Dir = t.dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	said, err := cmd.CombinedOutput()
	if late(string(said)) {
		err = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left--
	fmt.Printf("fuzz: %s: %s, %d left\n", t, outcome(string(said), err), r.left)
	if err != nil && ctx.Err() == nil {
		r.failed = append(r.failed, t.String())
		fmt.Printf("%s", said)
	}
}

// late says whether a target has failed by nothing but the end of its time, which
// Go's fuzzer at times takes for a failure on a busy machine: it then has no input
// to show.
func late(said string) bool {
	return strings.Contains(said, "context deadline exceeded") && !strings.Contains(said, "Failing input written")
}

// outcome words the end of a target.
func outcome(said string, err error) string {
	if err != nil {
		return "FAILED (" + err.Error() + ")"
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if _, counts, ok := strings.Cut(lines[i], "execs: "); ok {
			return "ok, inputs: " + counts
		}
	}
	return "ok"
}

// output is what a command says; its error has what it complains of.
func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, out, complaint.String())
	}
	return string(out), nil
}
