package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/dlp-mpi/dlp-go/bootstrap"
	"github.com/dlp-mpi/dlp-go/test/deadline"
)

// The test binary is also ameexec, its launcher, and the program that the
// ranks run.
func TestMain(m *testing.M) {
	switch {
	case os.Args[0] == launcherName:
		os.Exit(launcherMain())
	case len(os.Args) > 1 && os.Args[1] == "ameexec":
		os.Exit(frontMain(os.Args[1:]))
	case len(os.Args) > 3 && os.Args[1] == "limited":
		limited(os.Args[2])
		os.Exit(frontMain(os.Args[3:]))
	case len(os.Args) > 2 && os.Args[1] == "rank":
		rankMain(os.Args[2], os.Args[3:])
		os.Exit(0)
	}
	goleak.VerifyTestMain(deadline.Each(m))
}

// limited sets a limit that ameexec then meets: nproc=5, nofile=40.
func limited(text string) {
	name, value, _ := strings.Cut(text, "=")
	limit, _ := strconv.ParseUint(value, 10, 64)
	which := map[string]int{"nproc": unix.RLIMIT_NPROC, "nofile": syscall.RLIMIT_NOFILE}[name]
	if err := syscall.Setrlimit(which, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		panic(err)
	}
}

// rankMain is what a rank does.
func rankMain(what string, args []string) {
	rank := os.Getenv("AME_RANK")
	switch what {
	case "args": // print the arguments
		fmt.Printf("%q\n", args)
	case "env": // print some variables
		for _, name := range args {
			value, ok := os.LookupEnv(name)
			fmt.Printf("%s=%s %v\n", name, value, ok)
		}
	case "dir":
		dir, _ := os.Getwd()
		fmt.Println(dir, os.Getenv("PWD"))
	case "exit": // exit RANK STATUS: that rank fails, the others wait to be stopped
		if args[0] == rank {
			status, _ := strconv.Atoi(args[1])
			os.Exit(status)
		}
		select {}
	case "die": // die RANK SIGNAL
		if args[0] == rank {
			number, _ := strconv.Atoi(args[1])
			signal.Reset(syscall.Signal(number))
			syscall.Kill(os.Getpid(), syscall.Signal(number))
		}
		select {}
	case "halves": // halves LINES: write lines in two pieces
		lines, _ := strconv.Atoi(args[0])
		for i := range lines {
			fmt.Printf("rank %s line ", rank)
			fmt.Printf("%d of %d\n", i, lines)
		}
	case "long": // long BYTES: one line
		size, _ := strconv.Atoi(args[0])
		fmt.Println(strings.Repeat(rank, size))
	case "print": // print STDOUT STDERR, as they are
		fmt.Print(args[0])
		fmt.Fprint(os.Stderr, args[1])
	case "cat":
		n, _ := io.Copy(os.Stdout, os.Stdin)
		fmt.Printf("rank %s read %d\n", rank, n)
	case "flood": // until nobody reads
		for {
			if _, err := fmt.Println("flood"); err != nil {
				os.Exit(1)
			}
		}
	case "join": // join N: be rank of N jobs one after another
		times, _ := strconv.Atoi(args[0])
		for range times {
			joinOnce()
		}
	case "hold": // hold FIFO CHILDREN [IGNORED]: see alive
		hold(args)
	}
}

func joinOnce() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	world, _, err := bootstrap.Find(ctx, os.LookupEnv)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	session := world.Job[strings.LastIndexByte(world.Job, '-')+1:]
	fmt.Printf("%s %d/%d session %s root %d\n", world.Method, world.Rank, world.Size, session, len(world.Root))
	if world.Listener != nil {
		defer world.Listener.Close()
	}
	defer world.Release()
}

// hold opens a FIFO, says hello on it and never ends; the reader of the FIFO
// sees the end of file when all who hold it are dead. It starts children that
// do the same, in sessions of their own, as daemons do.
func hold(args []string) {
	ignored := make(chan os.Signal, 8)
	if len(args) > 2 {
		number, _ := strconv.Atoi(args[2])
		signal.Notify(ignored, syscall.Signal(number))
	}
	fifo, err := os.OpenFile(args[0], os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	children, _ := strconv.Atoi(args[1])
	for range children {
		child := exec.Command(os.Args[0], "rank", "hold", args[0], "0")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			panic(err)
		}
	}
	fmt.Fprintf(fifo, "hello %d\n", os.Getpid())
	for s := range ignored {
		fmt.Fprintf(fifo, "got %d\n", int(s.(syscall.Signal)))
	}
}

// result is what a run of ameexec came to.
type result struct {
	status         int
	stdout, stderr string
}

// ranks is the start of the command line of the program that ranks run.
func ranks(what string, args ...string) []string {
	return append([]string{os.Args[0], "rank", what}, args...)
}

// command is ameexec with the environment of a test.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append([]string{"ameexec"}, args...)...)
	cmd.Env = testEnviron()
	return cmd
}

// testEnviron is an environment that no launcher has touched. The race
// detector would let every process sleep for a second at its end.
func testEnviron() []string {
	return append(cleaned(os.Environ()), "GORACE=atexit_sleep_ms=0")
}

// with joins options and the program's command line.
func with(program []string, options ...string) []string { return append(options, program...) }

func run(t *testing.T, args ...string) result {
	t.Helper()
	return finishRun(t, command(args...))
}

func finishRun(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	cmd.Wait()
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// lines splits output into its lines.
func lines(text string) []string {
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// alive watches the processes of a job through a FIFO that they hold open.
type alive struct {
	path string
	fifo *os.File
	text *bufio.Scanner
}

func newAlive(t *testing.T) *alive {
	path := filepath.Join(t.TempDir(), "alive")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	return &alive{path: path}
}

// wait returns when count processes have said hello.
func (a *alive) wait(t *testing.T, count int) {
	var err error
	a.fifo, err = os.Open(a.path)
	require.NoError(t, err)
	t.Cleanup(func() { a.fifo.Close() })
	a.text = bufio.NewScanner(a.fifo)
	for range count {
		require.Contains(t, a.next(t), "hello ")
	}
}

// next returns what one of them says next.
func (a *alive) next(t *testing.T) string {
	require.True(t, a.text.Scan(), "no process is left")
	return a.text.Text()
}

// gone returns when no process holds the FIFO any more.
func (a *alive) gone(t *testing.T) {
	for a.text.Scan() {
	}
	require.NoError(t, a.text.Err())
}
