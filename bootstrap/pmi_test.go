package bootstrap

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/internal/nesting"
	"github.com/dlp-mpi/dlp-go/pmi"
	"github.com/dlp-mpi/dlp-go/test/fakeenv"
)

// pmiJob finds the job on every rank, under a PMI server that places rank r
// on nodes[r]. change may alter the environment of a rank.
func pmiJob(t *testing.T, nodes []int, change func(rank int, env fakeenv.Map) fakeenv.Map) ([]*World, []error) {
	size := len(nodes)
	server, err := pmi.NewServer(pmi.Config{Job: "kvs_0", Nodes: nodes})
	require.NoError(t, err)
	conns := make([]net.Conn, size)
	worlds, errs := make([]*World, size), make([]error, size)
	var ranks sync.WaitGroup
	for rank := range size {
		conn, child, err := pmi.Pair()
		require.NoError(t, err)
		conns[rank] = conn
		fd, err := syscall.Dup(int(child.Fd())) // inherited ones are not close-on-exec
		require.NoError(t, err)
		require.NoError(t, child.Close())
		env := fakeenv.Map{"PMI_FD": strconv.Itoa(fd), "PMI_RANK": strconv.Itoa(rank), "PMI_SIZE": strconv.Itoa(size)}
		if change != nil {
			env = change(rank, env)
		}
		ranks.Go(func() { worlds[rank], _, errs[rank] = Find(t.Context(), env.Lookup) })
	}
	require.NoError(t, server.Serve(t.Context(), conns))
	ranks.Wait()
	return worlds, errs
}

func TestPMI(t *testing.T) {
	for name, nodes := range map[string][]int{
		"alone": {0}, "two": {0, 0}, "eight on one node": {0, 0, 0, 0, 0, 0, 0, 0}, "cyclic on two nodes": {0, 1, 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			worlds, errs := pmiJob(t, nodes, nil)
			for rank, err := range errs {
				require.NoError(t, err, "rank %d", rank)
			}
			root := worlds[0]
			for rank, world := range worlds {
				assert.Equal(t, "pmi", world.Method)
				assert.Equal(t, rank, world.Rank)
				assert.Equal(t, len(nodes), world.Size)
				assert.Equal(t, root.Root.Job, world.Root.Job)
				assert.Equal(t, root.Root.Key, world.Root.Key)
				assert.Equal(t, root.Root.Addresses, world.Root.Addresses)
				local, before := 0, 0
				for r, node := range nodes {
					if node == nodes[rank] {
						local++
						if r < rank {
							before++
						}
					}
				}
				assert.Equal(t, local, world.LocalSize)
				assert.Equal(t, before, world.LocalRank)
			}
			if len(nodes) == 1 {
				assert.Nil(t, root.Listener)
				return
			}
			for _, address := range root.Root.Addresses {
				host, _, err := net.SplitHostPort(address)
				require.NoError(t, err)
				if nodes[1] == 0 {
					assert.True(t, net.ParseIP(host).IsLoopback(), address)
				}
			}
			require.NoError(t, root.Listener.Close())
		})
	}
}

func TestPMIRootTellsThatItCannotListen(t *testing.T) {
	_, errs := pmiJob(t, []int{0, 0, 0}, func(rank int, env fakeenv.Map) fakeenv.Map {
		if rank == 0 {
			return env.With("AME_INTERFACE", "nosuch0")
		}
		return env
	})
	require.ErrorContains(t, errs[0], `AME_INTERFACE="nosuch0" matches no address`)
	for _, err := range errs[1:] {
		require.ErrorContains(t, err, "rank 0 cannot take part: ")
	}
}

func TestPMITakesTheUsersJob(t *testing.T) {
	worlds, errs := pmiJob(t, []int{0, 0}, func(_ int, env fakeenv.Map) fakeenv.Map { return env.With("AME_JOB", "night-run.7") })
	require.NoError(t, errs[0])
	require.NoError(t, errs[1])
	require.NoError(t, worlds[0].Listener.Close())
	assert.Equal(t, "night-run.7", worlds[1].Root.Job)
}

func TestPMIDetects(t *testing.T) {
	stale := fakeenv.Map{"PMI_FD": "99999", "PMI_RANK": "1", "PMI_SIZE": "2"}
	err := pmiMethod{}.detect(stale.Lookup)
	require.ErrorIs(t, err, ErrNotDetected)
	assert.EqualError(t, err, "the PMI variables are left over: descriptor 99999 is not open")
	require.ErrorIs(t, pmiMethod{}.detect(fakeenv.Map{"PMI_FD": ""}.Lookup), ErrNotDetected)
	require.ErrorIs(t, pmiMethod{}.detect(stale.With("MPI_LOCALNRANKS", "").Lookup), ErrNotDetected)

	err = pmiMethod{}.detect(stale.With("MPI_LOCALNRANKS", "2").Lookup)
	require.NotErrorIs(t, err, ErrNotDetected, "half of the ranks would go on alone")
	assert.ErrorContains(t, err, "start one program per rank")
	assert.ErrorContains(t, err, "AME_BOOTSTRAP")
}

// A number left over from an outer step may name a live socket of another kind.
func TestPMIOfAnotherStep(t *testing.T) {
	conn, child, err := pmi.Pair()
	require.NoError(t, err)
	defer conn.Close()
	defer child.Close()
	fd, err := syscall.Dup(int(child.Fd())) // inherited ones are not close-on-exec
	require.NoError(t, err)
	defer syscall.Close(fd)
	env := task(t, 0, 2).With("PMI_FD", strconv.Itoa(fd), "PMI_RANK", "0", "PMI_SIZE", "2", "PMI_JOBID", "7.0")
	require.NoError(t, pmiMethod{}.detect(env.Lookup), "of this step")
	err = pmiMethod{}.detect(env.With("PMI_JOBID", "7.1").Lookup)
	require.ErrorIs(t, err, ErrNotDetected)
	assert.EqualError(t, err, "the PMI variables are left over from step 7.1, this is step 7.0")
}

// A script may start two programs in one task. The second one does not talk
// into what the first one says to the launcher.
func TestPMIConnectionInUse(t *testing.T) {
	launcher, child, err := pmi.Pair()
	require.NoError(t, err)
	defer child.Close()
	fd, err := syscall.Dup(int(child.Fd())) // inherited ones are not close-on-exec
	require.NoError(t, err)
	first := make(chan error)
	go func() {
		env := fakeenv.Map{"PMI_FD": strconv.Itoa(fd), "PMI_RANK": "0", "PMI_SIZE": "2"}
		_, _, err := Find(t.Context(), env.Lookup)
		first <- err
	}()
	hello := make([]byte, 10)
	_, err = io.ReadFull(launcher, hello) // it has the connection, and waits for an answer
	require.NoError(t, err)

	second := exec.Command(os.Args[0])
	second.Env = append(nesting.Clean(os.Environ()), rankRole+"=find", "PMI_FD=3", "PMI_RANK=0", "PMI_SIZE=2")
	second.ExtraFiles = []*os.File{child}
	output, err := second.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(output), "another program of this task is using the connection to the launcher")
	assert.Contains(t, string(output), "set AME_BOOTSTRAP=single")
	launcher.Close()
	require.Error(t, <-first)
}

// plainLauncher answers one client as simple PMI servers do, and mapping when
// it asks for the process mapping.
func plainLauncher(conn net.Conn, mapping string) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		var reply string
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "cmd=init "):
			reply = "cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1"
		case line == "cmd=get_maxes":
			reply = "cmd=maxes"
		case line == "cmd=get_appnum":
			reply = "cmd=appnum appnum=3"
		case line == "cmd=get_my_kvsname":
			reply = "cmd=my_kvsname kvsname=7"
		case strings.HasPrefix(line, "cmd=get "):
			reply = "cmd=get_result " + mapping
		case strings.HasPrefix(line, "cmd=put "):
			reply = "cmd=put_result"
		case line == "cmd=barrier_in":
			reply = "cmd=barrier_out"
		case line == "cmd=finalize":
			reply = "cmd=finalize_ack"
		}
		if _, err := io.WriteString(conn, reply+"\n"); err != nil {
			return
		}
	}
}

func TestPMIWithoutAMapping(t *testing.T) {
	hydra := fakeenv.Map{"MPI_LOCALRANKID": "0", "MPI_LOCALNRANKS": "2"}
	spread := fakeenv.Map{"MPI_LOCALRANKID": "0", "MPI_LOCALNRANKS": "1"}
	for name, test := range map[string]struct {
		mapping   string
		env       fakeenv.Map
		localSize int
		oneNode   bool
	}{
		"not there":               {"rc=1", fakeenv.Map{}, -1, false},
		"unreadable":              {"rc=0 value=(matrix)", fakeenv.Map{}, -1, false},
		"empty":                   {"rc=0 value=", fakeenv.Map{}, -1, false},
		"hydra, one node":         {"rc=1", hydra, 2, true},
		"hydra, several nodes":    {"rc=1", spread, 1, false},
		"the mapping comes first": {"rc=0 value=(vector,(0,2,1))", hydra, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			conn, child, err := pmi.Pair()
			require.NoError(t, err)
			fd, err := syscall.Dup(int(child.Fd()))
			require.NoError(t, err)
			require.NoError(t, child.Close())
			done := make(chan struct{})
			go func() {
				plainLauncher(conn, test.mapping)
				close(done)
			}()
			env := test.env.With("PMI_FD", strconv.Itoa(fd), "PMI_RANK", "0", "PMI_SIZE", "2")
			world, _, err := Find(t.Context(), env.Lookup)
			require.NoError(t, err)
			<-done
			require.NoError(t, world.Listener.Close())
			assert.Equal(t, test.localSize, world.LocalSize)
			assert.Equal(t, 3, world.App)
			assert.Equal(t, 3, world.Program.App)
			if test.oneNode {
				assert.True(t, loopbackOnly(world.Root.Addresses), world.Root.Addresses)
			} else {
				assert.False(t, world.oneNode())
			}
		})
	}
}
