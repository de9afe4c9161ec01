package main

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/dlp-mpi/dlp-go/pmi"
)

// pmiService makes ameexec an mpiexec for programs that are linked with MPICH
// or one of its relatives: every rank inherits a connection to a PMI server.
type pmiService struct {
	server *pmi.Server
	size   int
	conns  []net.Conn         // of the ranks in their order, as far as they were started
	failed chan *pmi.JobError // why the job cannot go on
	cancel context.CancelFunc
	ctx    context.Context
	serve  sync.WaitGroup
}

func newPMIService(p *plan, out *output) (*pmiService, error) {
	size := p.size()
	server, err := pmi.NewServer(pmi.Config{
		Job:    p.Job,
		Nodes:  make([]int, size), // all on node 0
		Notice: func(rank int, n pmi.Notice) { out.say("rank %d on %s %s: %s", rank, p.Host, n.Text, advice[n.Kind]) },
	})
	if err != nil {
		return nil, err
	}
	s := &pmiService{server: server, size: size, failed: make(chan *pmi.JobError, 1)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// advice is what to do instead of what a rank has asked for in vain.
var advice = map[pmi.NoticeKind]string{
	pmi.OtherVersion: "start it with the mpiexec of its MPI, or with --pmi none to let each rank run alone",
	pmi.Spawn:        "start all ranks at once, with -n and colons",
}

// Child returns the end of the connection that rank inherits. The server runs
// from the last one on: before, no rank gets further than its first request.
func (s *pmiService) Child(int) (*os.File, error) {
	conn, child, err := pmi.Pair()
	if err != nil {
		return nil, err
	}
	s.conns = append(s.conns, conn)
	if len(s.conns) == s.size {
		s.serve.Go(func() {
			var failure *pmi.JobError
			if errors.As(s.server.Serve(s.ctx, s.conns), &failure) {
				s.failed <- failure
			}
		})
	}
	return child, nil
}

func (s *pmiService) Environ(rank, descriptor int) []string {
	return pmi.Environ(descriptor, rank, s.size, rank, s.size)
}

func (s *pmiService) Exited(rank int, _ string) { s.server.Exited(rank) }

func (s *pmiService) Close() error {
	s.cancel()
	s.serve.Wait()
	var errs []error
	for _, conn := range s.conns {
		if err := conn.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// lastWords is how long a rank may take to end after its connection to the PMI
// server, or to another rank, has: how it ends says more than that the
// connection is gone.
const lastWords = time.Second

// mpiState is what the launcher knows of a job of MPI programs.
type mpiState struct {
	server    *pmiService      // nil: none
	silence   <-chan time.Time // when a program of MPI should have used it
	explained bool             // its silence was

	failed   <-chan *pmi.JobError // the server has given the job up; nil without a server
	doubt    *pmi.JobError        // the reason, while the rank may still end in a better one
	doubtEnd <-chan time.Time
	cause    *pmi.JobError // what the job is being stopped for, which was reported
}

func (m *mpiState) doubts(rank int) bool { return m.doubt != nil && m.doubt.Rank == rank }

func (m *mpiState) blames(rank int) bool { return m.cause != nil && m.cause.Rank == rank }

// told says that the end of rank is no news: it has called MPI_Abort.
func (m *mpiState) told(rank int) bool { return m.blames(rank) && m.cause.Aborted }

// mpiFailed ends the job of an MPI program: at once if a rank called MPI_Abort.
func (l *launcher) mpiFailed(failure *pmi.JobError) {
	l.mpi.doubt = failure
	if failure.Aborted || !l.runs(failure.Rank) {
		l.believe()
		return
	}
	l.mpi.doubtEnd = time.After(lastWords)
}

// believe stops the job for the reason that the PMI server gave, if it is not
// being stopped for a better one.
func (l *launcher) believe() {
	failure := l.mpi.doubt
	l.mpi.doubt, l.mpi.doubtEnd = nil, nil
	failing := l.ending.reprieve != nil && !l.plan.Continue // a rank has failed, and said so
	if l.ending.stopping || failing && !failure.Aborted {
		return
	}
	l.mpi.cause = failure
	l.output.say("rank %d on %s: %v", failure.Rank, l.plan.Host, failure.Err)
	l.verdict.Settle(failure.Status)
	l.stop()
}

// runs says whether the process of rank has not ended.
func (l *launcher) runs(rank int) bool {
	for _, running := range l.ranks {
		if running == rank {
			return true
		}
	}
	return false
}
