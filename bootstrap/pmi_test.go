package bootstrap

import (
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dlp-mpi/dlp-go/pmi"
)

// pmiJob finds the job on every rank, under a PMI server that places rank r
// on nodes[r]. change may alter the environment of a rank.
func pmiJob(t *testing.T, nodes []int, change func(rank int, env mapEnv) mapEnv) ([]*World, []error) {
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
		env := mapEnv{"PMI_FD": strconv.Itoa(fd), "PMI_RANK": strconv.Itoa(rank), "PMI_SIZE": strconv.Itoa(size)}
		if change != nil {
			env = change(rank, env)
		}
		ranks.Go(func() { worlds[rank], _, errs[rank] = Find(t.Context(), env.lookup) })
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
				assert.Equal(t, root.Job, world.Job)
				assert.Equal(t, root.Key, world.Key)
				assert.Equal(t, root.Root, world.Root)
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
			for _, address := range root.Root {
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
	_, errs := pmiJob(t, []int{0, 0, 0}, func(rank int, env mapEnv) mapEnv {
		if rank == 0 {
			return env.with("AME_INTERFACE", "nosuch0")
		}
		return env
	})
	require.ErrorContains(t, errs[0], `AME_INTERFACE="nosuch0" matches no address`)
	for _, err := range errs[1:] {
		require.ErrorContains(t, err, "rank 0 cannot take part: ")
	}
}

func TestPMITakesTheUsersJob(t *testing.T) {
	worlds, errs := pmiJob(t, []int{0, 0}, func(_ int, env mapEnv) mapEnv { return env.with("AME_JOB", "night-run.7") })
	require.NoError(t, errs[0])
	require.NoError(t, errs[1])
	require.NoError(t, worlds[0].Listener.Close())
	assert.Equal(t, "night-run.7", worlds[1].Job)
}

func TestPMIDetects(t *testing.T) {
	stale := mapEnv{"PMI_FD": "99999", "PMI_RANK": "1", "PMI_SIZE": "2"}
	err := pmiMethod{}.Detect(stale.lookup)
	require.ErrorIs(t, err, ErrNotDetected)
	assert.EqualError(t, err, "the PMI variables are left over: descriptor 99999 is not open")
	require.ErrorIs(t, pmiMethod{}.Detect(mapEnv{"PMI_FD": ""}.lookup), ErrNotDetected)
	require.ErrorIs(t, pmiMethod{}.Detect(stale.with("MPI_LOCALNRANKS", "").lookup), ErrNotDetected)

	err = pmiMethod{}.Detect(stale.with("MPI_LOCALNRANKS", "2").lookup)
	require.NotErrorIs(t, err, ErrNotDetected, "half of the ranks would go on alone")
	assert.ErrorContains(t, err, "start one program per rank")
	assert.ErrorContains(t, err, "AME_BOOTSTRAP")
}
