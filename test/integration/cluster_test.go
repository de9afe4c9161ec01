//go:build integration

package integration

import (
	"bytes"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/dlp-mpi/dlp-go/test/need"
)

const allReleases = "bookworm,trixie"

var (
	releaseList = flag.String("releases", allReleases, "releases of Debian and Ubuntu to test, separated by commas")
	update      = flag.Bool("update", false, "write docs/launchers.md instead of comparing with it")
)

// role says what a cluster is there for. Tests of different roles run side by
// side.
type role string

const (
	// shared clusters are as they should be; tests run on them side by side.
	shared role = "shared"
	// broken clusters belong to one test at a time, which may break them.
	broken role = "broken"
)

// clusters holds one cluster for each role and release, started when a test
// first asks for it.
var clusters = make(map[role]map[string]func() (*cluster, error))

// releases are the releases to test.
func releases() []string { return strings.Split(*releaseList, ",") }

func TestMain(m *testing.M) {
	flag.Parse()
	for _, role := range []role{shared, broken} {
		clusters[role] = make(map[string]func() (*cluster, error))
		for _, release := range releases() {
			clusters[role][release] = sync.OnceValues(func() (*cluster, error) { return start(role, release) })
		}
	}
	status := deadline.Each(m).Run()
	stopAll()
	os.RemoveAll(payloadDir)
	os.Exit(status)
}

// errNoCluster is wrapped by the reason that cluster.sh check gives.
var errNoCluster = errors.New("no cluster can be here")

// startTime is what the start of a cluster may take that has to make its images
// first.
const startTime = 25 * time.Minute

// onClusters runs test on the cluster of every release, side by side. The test
// that calls it must run in parallel if its clusters are broken ones. When a test
// fails, what SLURM's daemons said is printed.
func onClusters(t *testing.T, role role, test func(t *testing.T, c *cluster)) {
	for _, release := range releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			deadline.Extend(t, startTime)
			c, err := clusters[role][release]()
			if errors.Is(err, errNoCluster) {
				need.Unable(t, "%v", err)
			}
			require.NoError(t, err)
			if role == broken {
				c.turn.Lock()
				t.Cleanup(c.turn.Unlock) // after what the test has to mend
			}
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
	turn    sync.Mutex // of tests that may break it
	release string
	project string
	docker  string                   // path of the client
	agents  map[string]*machineAgent // by machine

	// done ends the life of the cluster. The process that takes the cluster
	// down reads the other end, so that it also learns of a killed test.
	done    io.Closer
	watcher *exec.Cmd
}

var started struct {
	sync.Mutex
	clusters []*cluster
}

// start brings up a cluster of a release and copies the commands into it.
func start(role role, release string) (*cluster, error) {
	c := &cluster{
		release: release,
		project: "dlptest-" + string(role) + "-" + release + "-" + strings.ToLower(rand.Text()[:8]),
		agents:  make(map[string]*machineAgent),
	}
	if out, err := c.script("check").CombinedOutput(); err != nil {
		err := fmt.Errorf("%w: %s", errNoCluster, bytes.TrimSpace(out))
		fmt.Printf("%s is not tested: %v\n", release, err)
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
			c.agents[name] = &machineAgent{docker: c.docker, container: value}
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

// plan tells the one who watches that so many tests will run on each release.
func plan(tests int) { fmt.Printf("plan: %d more\n", tests*len(releases())) }

// stopAll takes all clusters down and waits for it.
func stopAll() {
	for _, c := range started.clusters {
		for _, a := range c.agents {
			a.stop()
		}
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
