package pmi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dlp-mpi/dlp-go/test/deadline"
	"github.com/dlp-mpi/dlp-go/test/need"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(deadline.Each(m)) }

// startServer serves a job of size ranks on one node and returns the clients'
// ends, and how Serve ends.
func startServer(t *testing.T, size int) (s *Server, clients []net.Conn, served <-chan error) {
	t.Helper()
	s, err := NewServer(Config{Job: "kvs_0", Nodes: oneNode(size)})
	require.NoError(t, err)
	conns := make([]net.Conn, size)
	clients = make([]net.Conn, size)
	for rank := range conns {
		conns[rank], clients[rank] = net.Pipe()
	}
	result := make(chan error, 1)
	go func() {
		result <- s.Serve(t.Context(), conns)
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	return s, clients, result
}

// bootstrapOver does what a program does with PMI: rank 0 tells, all learn.
func bootstrapOver(ctx context.Context, c *Client, secret string) error {
	if c.Rank() == 0 {
		if err := c.PutLong(ctx, "root", secret); err != nil {
			return err
		}
	}
	if err := c.Barrier(ctx); err != nil {
		return err
	}
	got, err := c.GetLong(ctx, "root")
	if err == nil && got != secret {
		err = fmt.Errorf("got %q", got)
	}
	if err != nil {
		return err
	}
	return c.Finalize(ctx)
}

func TestServerAgainstClient(t *testing.T) {
	for _, size := range []int{1, 2, 16} {
		for _, length := range []int{0, 100, 5000} {
			t.Run(fmt.Sprintf("%d ranks, %d bytes", size, length), func(t *testing.T) {
				_, conns, served := startServer(t, size)
				errs := make([]error, size)
				var clients sync.WaitGroup
				for rank, conn := range conns {
					clients.Go(func() {
						c := newClient(conn, rank, size)
						if errs[rank] = c.start(t.Context()); errs[rank] != nil {
							return
						}
						m, err := c.Mapping(t.Context())
						if err != nil || m.String() != fmt.Sprintf("(vector,(0,1,%d))", size) {
							errs[rank] = fmt.Errorf("mapping %v, %w", m, err)
							return
						}
						errs[rank] = bootstrapOver(t.Context(), c, strings.Repeat("a", length))
						_ = c.Close()
					})
				}
				clients.Wait()
				for _, err := range errs {
					require.NoError(t, err)
				}
				require.NoError(t, <-served)
			})
		}
	}
}

func TestNewServerValidates(t *testing.T) {
	for _, config := range []Config{
		{Job: "kvs_0"}, {Nodes: []int{0}}, {Job: "a b", Nodes: []int{0}}, {Job: strings.Repeat("k", 256), Nodes: []int{0}},
	} {
		_, err := NewServer(config)
		assert.Error(t, err)
	}
	s, err := NewServer(Config{Job: "kvs_0", Nodes: []int{0, 0}})
	require.NoError(t, err)
	assert.Error(t, s.Serve(t.Context(), nil))
}

// ask sends a line and returns the reply.
func ask(t *testing.T, conn net.Conn, line string) string {
	t.Helper()
	_, err := io.WriteString(conn, line+"\n")
	require.NoError(t, err)
	reply, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSuffix(reply, "\n")
}

func TestHostileClients(t *testing.T) {
	// Rank 0 misbehaves, rank 1 waits in a barrier.
	tests := []struct {
		name string
		send []string
		text string
	}{
		{"binary", []string{"\x00\xff\x01\n"}, "rank 0: no cmd= in"},
		{"a line of a mebibyte", []string{strings.Repeat("x", 1<<20)}, "rank 0: sent a line of more than 16384 bytes"},
		{"a mebibyte of spaces", []string{"cmd=get_maxes" + strings.Repeat(" ", 1<<20) + "\n"}, "rank 0: sent a line of more than"},
		{"half a line", []string{"cmd=get_ma"}, "rank 0: is gone and never used PMI"},
		{"nothing", nil, "rank 0: is gone and never used PMI"},
		{"finalize", []string{"cmd=finalize\n"}, "rank 0: has finalized PMI while others wait"},
		{"barriers without end", []string{"cmd=barrier_in\ncmd=barrier_in\ncmd=barrier_in\n"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, conns, served := startServer(t, 3)
			_, err := io.WriteString(conns[1], "cmd=barrier_in\n")
			require.NoError(t, err)
			for _, text := range tt.send {
				_, _ = io.WriteString(conns[0], text) // the server may hang up before the end
			}
			require.NoError(t, conns[0].Close())
			err = <-served
			var failed *JobError
			require.ErrorAs(t, err, &failed)
			assert.ErrorContains(t, err, tt.text)
			assert.Equal(t, 1, failed.Status)
			_, err = conns[1].Read(make([]byte, 1))
			assert.ErrorIs(t, err, io.EOF, "the others get no barrier_out")
		})
	}
}

func TestServerTakesLinesInPiecesAndTogether(t *testing.T) {
	_, conns, served := startServer(t, 1)
	for _, piece := range []string{"cmd=in", "it pmi_version=1 pmi_sub", "version=1\n"} {
		_, err := io.WriteString(conns[0], piece)
		require.NoError(t, err)
	}
	in := bufio.NewReader(conns[0])
	reply, err := in.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=0\n", reply)
	go func() { _, _ = io.WriteString(conns[0], "cmd=get_maxes\ncmd=get_appnum\ncmd=finalize\n") }()
	rest, err := io.ReadAll(in)
	require.NoError(t, err)
	assert.Equal(t, "cmd=maxes kvsname_max=256 keylen_max=64 vallen_max=1024\ncmd=appnum appnum=0\ncmd=finalize_ack\n", string(rest))
	require.NoError(t, <-served)
}

func TestServerPassesNoticesOn(t *testing.T) {
	var told []Notice
	s, err := NewServer(Config{Job: "kvs_0", Nodes: oneNode(1), Notice: func(_ int, n Notice) { told = append(told, n) }})
	require.NoError(t, err)
	assert.False(t, s.Heard())
	ours, theirs := net.Pipe()
	defer ours.Close()
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context(), []net.Conn{ours}) }()
	assert.Equal(t, "cmd=response_to_init pmi_version=1 pmi_subversion=1 rc=-1", ask(t, theirs, "cmd=init pmi_version=2 pmi_subversion=0"))
	assert.True(t, s.Heard())
	require.NoError(t, theirs.Close())
	require.NoError(t, <-served)
	assert.Equal(t, []Notice{{OtherVersion, "asked for PMI version 2.0, this server speaks 1.1 only"}}, told)
}

func TestServerEndsTheSessionAfterFinalize(t *testing.T) {
	_, conns, served := startServer(t, 1)
	assert.Equal(t, "cmd=finalize_ack", ask(t, conns[0], "cmd=finalize"))
	_, err := io.WriteString(conns[0], "cmd=put key=a value=b\n")
	assert.Error(t, err)
	require.NoError(t, <-served)
}

func TestServerLetsRanksLeaveUnlessOthersWait(t *testing.T) {
	_, conns, served := startServer(t, 2)
	require.NoError(t, conns[0].Close())
	assert.Equal(t, "cmd=finalize_ack", ask(t, conns[1], "cmd=finalize"))
	require.NoError(t, <-served)
}

func TestServerObeysItsContext(t *testing.T) {
	s, err := NewServer(Config{Job: "kvs_0", Nodes: oneNode(2)})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	conns := make([]net.Conn, 2)
	clients := make([]net.Conn, 2)
	for rank := range conns {
		conns[rank], clients[rank] = net.Pipe()
	}
	result := make(chan error, 1)
	go func() { result <- s.Serve(ctx, conns) }()
	_, err = io.WriteString(clients[0], "cmd=barrier_in\n")
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, <-result, context.Canceled)
}

func TestServerGivesUpAClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, conns, served := startServer(t, 2)
		begin := time.Now()
		_, err := io.WriteString(conns[0], "cmd=get_maxes\n")
		require.NoError(t, err)
		assert.Equal(t, "cmd=finalize_ack", ask(t, conns[1], "cmd=finalize"), "the others are served meanwhile")
		require.NoError(t, <-served)
		assert.Equal(t, writeTimeout, time.Since(begin))
	})
}

func TestServerDoesNotLetARankLeaveOthersBehind(t *testing.T) {
	for name, others := range map[string]string{"others stay": "", "others finalize": "cmd=finalize"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, conns, served := startServer(t, 2)
				for _, conn := range conns {
					ask(t, conn, "cmd=init pmi_version=1 pmi_subversion=1")
				}
				begin := time.Now()
				require.NoError(t, conns[1].Close())
				if others != "" {
					time.Sleep(defaultDesertion / 2)
					ask(t, conns[0], others)
					require.NoError(t, <-served)
					return
				}
				require.ErrorContains(t, <-served, "rank 1: has left without finalizing")
				assert.Equal(t, defaultDesertion, time.Since(begin))
			})
		})
	}
}

func TestExitedEndsAConnectionThatSomebodyElseHolds(t *testing.T) {
	s, err := NewServer(Config{Job: "kvs_0", Nodes: oneNode(2)})
	require.NoError(t, err)
	conns, children := make([]net.Conn, 2), make([]*os.File, 2)
	for rank := range conns {
		conns[rank], children[rank], err = Pair()
		require.NoError(t, err)
		defer conns[rank].Close()
		defer children[rank].Close()
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context(), conns) }()
	_, err = children[1].WriteString("cmd=barrier_in\n")
	require.NoError(t, err)
	_, err = children[0].WriteString("cmd=init pmi_version=1 pmi_subversion=1\n")
	require.NoError(t, err)
	_, err = children[0].Read(make([]byte, 100))
	require.NoError(t, err)
	s.Exited(0) // and the descriptor stays open
	s.Exited(7)
	assert.ErrorContains(t, <-served, "rank 0: is gone without finalizing PMI")
	s.Exited(0)
}

// A hundred sessions over inherited descriptors leave none behind.
func TestNoDescriptorIsLeft(t *testing.T) {
	const size = 2
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			need.Unable(t, "no /proc to count descriptors in")
		}
		return len(entries)
	}
	once := func() {
		s, err := NewServer(Config{Job: "kvs_0", Nodes: oneNode(size)})
		require.NoError(t, err)
		conns := make([]net.Conn, size)
		errs := make([]error, size)
		var clients sync.WaitGroup
		for rank := range conns {
			server, fd := testPair(t)
			conns[rank] = server
			env := mapEnv{"PMI_FD": strconv.Itoa(fd), "PMI_RANK": strconv.Itoa(rank), "PMI_SIZE": strconv.Itoa(size)}
			clients.Go(func() {
				c, err := Open(t.Context(), env.lookup)
				if err != nil {
					errs[rank] = err
					return
				}
				errs[rank] = bootstrapOver(t.Context(), c, "10.0.0.1:40213")
				if err := c.Close(); err != nil {
					errs[rank] = err
				}
			})
		}
		require.NoError(t, s.Serve(t.Context(), conns))
		clients.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
	}
	once() // the runtime's own descriptors come with the first use
	before := count()
	for range 100 {
		once()
	}
	assert.Equal(t, before, count())
}

func TestOpenClosesWhatItCannotUse(t *testing.T) {
	server, fd := testPair(t)
	done := make(chan struct{})
	go func() {
		conversation(server, map[string]string{"init": "-"})
		close(done)
	}()
	env := mapEnv{"PMI_FD": strconv.Itoa(fd), "PMI_RANK": "0", "PMI_SIZE": "1", "MPI_LOCALNRANKS": "1"}
	_, err := Open(t.Context(), env.lookup)
	require.ErrorIs(t, err, ErrLost)
	assert.ErrorContains(t, err, "start one program per rank")
	<-done
	assert.ErrorIs(t, Detect(env.lookup), ErrLost, "the descriptor is closed")
}
