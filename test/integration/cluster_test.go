//go:build integration

package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const allReleases = "bookworm,trixie"

var (
	releaseList = flag.String("releases", allReleases, "Debian releases to test, separated by commas")
	update      = flag.Bool("update", false, "write docs/launchers.md instead of comparing with it")
)

// clusters holds one cluster for each release, started when a test first asks
// for it.
var clusters = make(map[string]func() (*cluster, error))

func TestMain(m *testing.M) {
	flag.Parse()
	for _, release := range strings.Split(*releaseList, ",") {
		clusters[release] = sync.OnceValues(func() (*cluster, error) { return start(release) })
	}
	status := m.Run()
	stopAll()
	os.RemoveAll(payloadDir)
	os.Exit(status)
}

// errNoDocker is wrapped by the reason why there can be no cluster here.
var errNoDocker = errors.New("docker is not usable")

// onClusters runs test on the cluster of every release, side by side. When a
// test fails, what SLURM's daemons said is printed.
func onClusters(t *testing.T, test func(t *testing.T, c *cluster)) {
	for _, release := range strings.Split(*releaseList, ",") {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			c, err := clusters[release]()
			if errors.Is(err, errNoDocker) && os.Getenv("CI") == "" {
				t.Skip(err)
			}
			require.NoError(t, err)
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(c.logs())
				}
			})
			test(t, c)
		})
	}
}

// cluster is a running SLURM cluster: the controller ctl and the nodes c1, c2
// and c3.
type cluster struct {
	release    string
	project    string
	docker     string            // path of the client
	containers map[string]string // by machine

	// done ends the life of the cluster. The process that takes the cluster
	// down reads the other end, so that it also learns of a killed test.
	done    io.Closer
	watcher *exec.Cmd
}

var started struct {
	sync.Mutex
	clusters []*cluster
}

// start brings up the cluster of a release and copies the commands into it.
func start(release string) (*cluster, error) {
	c := &cluster{
		release:    release,
		project:    "dlptest-" + release + "-" + strings.ToLower(rand.Text()[:8]),
		containers: make(map[string]string),
	}
	if out, err := exec.Command("./dockerd.sh").CombinedOutput(); err != nil {
		err := fmt.Errorf("%w: %s", errNoDocker, bytes.TrimSpace(out))
		fmt.Printf("no cluster of %s, so no test on it: %v\n", release, err)
		return nil, err
	}

	c.watcher = c.script("watch")
	c.watcher.Stderr = os.Stderr
	c.watcher.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := c.watcher.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := c.watcher.Start(); err != nil {
		return nil, err
	}
	c.done = stdin
	started.Lock()
	started.clusters = append(started.clusters, c)
	started.Unlock()

	began := time.Now()
	up := c.script("up")
	up.Stderr = os.Stderr
	out, err := up.Output()
	if err != nil {
		return nil, fmt.Errorf("cluster.sh up (%s): %w", release, err)
	}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name == "DOCKER" {
			c.docker = value
		} else {
			c.containers[name] = value
		}
	}
	fmt.Printf("cluster %s is up after %.0f s\n", c.project, time.Since(began).Seconds())

	payload, err := payload()
	if err != nil {
		return nil, err
	}
	if out, err := c.script("install", payload...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cluster.sh install: %w: %s", err, out)
	}
	return c, nil
}

// script prepares a call of cluster.sh for this cluster.
func (c *cluster) script(command string, args ...string) *exec.Cmd {
	cmd := exec.Command("./cluster.sh", append([]string{command}, args...)...)
	cmd.Env = append(os.Environ(), "RELEASE="+c.release, "PROJECT="+c.project)
	return cmd
}

// stopAll takes all clusters down and waits for it.
func stopAll() {
	for _, c := range started.clusters {
		c.done.Close()
	}
	for _, c := range started.clusters {
		if err := c.watcher.Wait(); err != nil {
			fmt.Fprintf(os.Stderr, "taking down %s: %v\n", c.project, err)
		}
	}
}

// logs returns the last lines of slurmctld and every slurmd.
func (c *cluster) logs() string {
	out, err := c.script("logs").CombinedOutput()
	if err != nil {
		return fmt.Sprintf("no logs of %s: %v: %s", c.project, err, out)
	}
	return string(out)
}

// payloadDir is where payload builds, removed at the end.
var payloadDir string

// payload builds what every machine gets in /opt/dlp: the commands, statically
// linked, and a directory of Go source for corpus to count in. CLUSTER_BIN
// names a directory with commands to use instead of building them.
var payload = sync.OnceValues(func() (paths []string, err error) {
	payloadDir, err = os.MkdirTemp("", "dlp-payload-")
	if err != nil {
		return nil, err
	}
	bin := os.Getenv("CLUSTER_BIN")
	if bin == "" {
		bin = filepath.Join(payloadDir, "bin")
		build := exec.Command("go", "build", "-o", bin+"/", "../../cmd/...", "../../examples/corpus")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go build: %w: %s", err, out)
		}
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	src := filepath.Join(payloadDir, "src")
	for _, pkg := range []string{"bufio", "bytes", "context", "errors", "sort", "strings"} {
		from := filepath.Join(strings.TrimSpace(string(goroot)), "src", pkg)
		if err := os.CopyFS(filepath.Join(src, pkg), os.DirFS(from)); err != nil {
			return nil, err
		}
	}
	commands, err := filepath.Glob(filepath.Join(bin, "*"))
	return append(commands, src), err
})

// result is what a command on a machine of the cluster did.
type result struct {
	stdout, stderr string
	status         int // 124 if it ran out of time
	elapsed        time.Duration
}

// String shows everything, for the message of a failed test.
func (r result) String() string {
	return fmt.Sprintf("status %d after %.1f s\nstdout: %s\nstderr: %s", r.status, r.elapsed.Seconds(), r.stdout, r.stderr)
}

// run runs a shell script as the plain user of a machine and waits for it. After
// limit the script and its children are killed.
func (c *cluster) run(t testing.TB, machine string, limit time.Duration, script string) result {
	return c.exec(t, machine, "user", limit, script)
}

// root runs a shell script as root, to break the machine or to mend it.
func (c *cluster) root(t testing.TB, machine, script string) {
	r := c.exec(t, machine, "root", time.Minute, script)
	require.Zero(t, r.status, "on %s as root: %s\n%v", machine, script, r)
}

func (c *cluster) exec(t testing.TB, machine, user string, limit time.Duration, script string) result {
	t.Helper()
	// timeout(1) inside the container does the work: killing the docker
	// client leaves the command running.
	ctx, cancel := context.WithTimeout(context.Background(), limit+30*time.Second)
	defer cancel()
	home := "/home/" + user
	if user == "root" {
		home = "/root"
	}
	cmd := exec.CommandContext(ctx, c.docker, "exec", "-u", user, "-w", home, "-e", "HOME="+home, "-e", "USER="+user, c.containers[machine],
		"timeout", "-k", "5", fmt.Sprint(limit.Seconds()), "bash", "-c", script)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	err := cmd.Run()
	r := result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), time.Since(began)}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		require.NoError(t, err, "docker exec on %s", machine)
	}
	return r
}
