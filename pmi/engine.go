package pmi

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	// What the server announces, as hydra does. MPICH 4.0.2 asserts that a
	// put with all three of them at their longest leaves room in 1024 bytes.
	serverNameMax  = 256
	serverKeyMax   = 64
	serverValueMax = 1024

	// serverStore bounds what the ranks may put, in bytes per rank. MPICH
	// puts less than two kilobytes per rank.
	serverStore = 1 << 20

	// entryCost is charged for an entry besides its bytes.
	entryCost = 64
)

// engine is the launcher's half of the conversation: it takes the lines of all
// clients of a job and says what to do, and does no I/O. The replies have the
// byte form of hydra 4.0.2, which every client known reads; some compare
// whole lines with it.
type engine struct {
	kvsname string
	size    int
	kvs     map[string]string
	stored  int               // bytes, as serverStore counts them
	names   map[string]string // services that were published, and their ports
	members []member
	waiting int             // members in the barrier
	told    map[Notice]bool // notices that were given
}

// member is what the engine knows of a rank.
type member struct {
	heard     bool // it has sent something
	inited    bool
	inBarrier bool
	spawn     *spawning // between mcmd= and endcmd
	finalized bool
	gone      bool // its connection has ended
}

// step is what the server has to do after an event.
type step struct {
	replies []reply
	close   bool      // the connection the event came from
	fail    *JobError // the job has failed: tell and stop
	desert  bool      // the rank left the others behind: call deserted after a while
	notice  Notice    // what the user should know of the rank; zero: nothing
}

type reply struct {
	rank int
	line []byte
}

func newEngine(kvsname string, nodes []int) *engine {
	e := &engine{kvsname: kvsname, size: len(nodes), kvs: make(map[string]string),
		names: make(map[string]string), members: make([]member, len(nodes)), told: make(map[Notice]bool)}
	e.kvs[mappingKey] = mappingOf(nodes).String()
	return e
}

// receive takes a line of rank, without its newline.
func (e *engine) receive(rank int, line string) step {
	member := &e.members[rank]
	member.heard = true
	switch {
	case member.finalized || member.gone:
		return step{close: true}
	case member.spawn != nil:
		return e.spawnLine(rank, line)
	case strings.HasPrefix(line, "mcmd="):
		member.spawn = &spawning{total: 1, number: 1}
		return step{}
	}
	m, err := parseMessage(line)
	if err != nil {
		return e.reject(rank, err)
	}
	command := m.command()
	if member.inBarrier && command != "abort" {
		return e.reject(rank, fmt.Errorf("sent cmd=%.40s while it waits in a barrier", command))
	}
	switch command {
	case "init":
		return e.init(rank, m)
	case "get_maxes":
		return answer(rank, "maxes", "kvsname_max", strconv.Itoa(serverNameMax),
			"keylen_max", strconv.Itoa(serverKeyMax), "vallen_max", strconv.Itoa(serverValueMax))
	case "get_appnum":
		return answer(rank, "appnum", "appnum", "0")
	case "get_my_kvsname":
		return answer(rank, "my_kvsname", "kvsname", e.kvsname)
	case "get_universe_size":
		return answer(rank, "universe_size", "size", strconv.Itoa(e.size))
	case "put":
		return e.put(rank, m)
	case "get":
		return e.get(rank, m)
	case "barrier_in":
		return e.barrier(rank)
	case "finalize":
		return e.finalize(rank)
	case "abort":
		return e.abort(rank, m, line)
	case "publish_name":
		return e.publish(rank, m)
	case "unpublish_name":
		return e.unpublish(rank, m)
	case "lookup_name":
		return e.lookup(rank, m)
	}
	// No reply would be better than a wrong one: the client would take it for
	// the reply to its next request.
	return e.reject(rank, fmt.Errorf("unknown PMI request %s", m))
}

// disconnect notes that the connection of rank has ended.
func (e *engine) disconnect(rank int) step {
	member := &e.members[rank]
	if member.gone {
		return step{}
	}
	member.gone = true
	if member.inBarrier {
		member.inBarrier = false
		e.waiting--
	}
	s := e.checkBarrier()
	s.desert = s.fail == nil && member.inited && !member.finalized
	return s
}

// deserted is called a while after rank has left without finalizing. Ranks that
// are still there then may wait for it in MPI, which tells us nothing: MPICH
// polls shared memory for ever. hydra kills them at once; the while is for
// programs that omit MPI_Finalize and end together.
func (e *engine) deserted(rank int) step {
	for other, m := range e.members {
		if m.inited && !m.finalized && !m.gone {
			err := fmt.Errorf("has left without finalizing PMI (MPI_Finalize), rank %d has not; its own output may say why", other)
			return step{fail: &JobError{Rank: rank, Status: 1, Err: err}}
		}
	}
	return step{}
}

func answer(rank int, command string, pairs ...string) step {
	return step{replies: []reply{{rank, appendMessage(nil, command, pairs...)}}}
}

// reject gives up a client that breaks the protocol, and the job with it.
func (e *engine) reject(rank int, err error) step {
	return step{close: true, fail: &JobError{Rank: rank, Status: 1, Err: err}}
}

// init answers whoever asks for PMI-1 with 1.1. A PMI-2 client learns from rc
// that it has to do without, as it does under Flux.
func (e *engine) init(rank int, m message) step {
	version, _ := m.get("pmi_version")
	if version == "1" {
		e.members[rank].inited = true
		return answer(rank, "response_to_init", "pmi_version", "1", "pmi_subversion", "1", "rc", "0")
	}
	subversion, _ := m.get("pmi_subversion")
	s := answer(rank, "response_to_init", "pmi_version", "1", "pmi_subversion", "1", "rc", "-1")
	s.notice = e.once(Notice{OtherVersion, fmt.Sprintf("asked for PMI version %.20s.%.20s, this server speaks 1.1 only", version, subversion)})
	return s
}

// once returns a notice the first time, and then a zero one: all ranks may ask
// for the same.
func (e *engine) once(notice Notice) Notice {
	if e.told[notice] {
		return Notice{}
	}
	e.told[notice] = true
	return notice
}

// heard says whether any member has sent anything.
func (e *engine) heard() bool {
	return slices.ContainsFunc(e.members, func(m member) bool { return m.heard })
}

func (e *engine) barrier(rank int) step {
	e.members[rank].inBarrier = true
	e.waiting++
	return e.checkBarrier()
}

// checkBarrier lets everybody go when all are in, and fails the job when
// somebody waits for a member that will never come.
func (e *engine) checkBarrier() step {
	if e.waiting == 0 {
		return step{}
	}
	for rank := range e.members {
		if err := e.members[rank].missing(); err != nil {
			return step{fail: &JobError{Rank: rank, Status: 1, Err: err}}
		}
	}
	if e.waiting < e.size {
		return step{}
	}
	e.waiting = 0
	var s step
	for rank := range e.members {
		e.members[rank].inBarrier = false
		s.replies = append(s.replies, answer(rank, "barrier_out").replies...)
	}
	return s
}

// missing says why this member will not enter a barrier any more.
func (m *member) missing() error {
	switch {
	case m.finalized:
		return errors.New("has finalized PMI while others wait for it in a barrier")
	case m.gone && m.inited:
		return errors.New("is gone without finalizing PMI, others wait for it in a barrier; its own output says why")
	case m.gone:
		return errors.New("is gone and never used PMI, others wait for it in a barrier; do all ranks run an MPI program?")
	}
	return nil
}

func (e *engine) finalize(rank int) step {
	e.members[rank].finalized = true
	s := e.checkBarrier()
	s.replies = append(answer(rank, "finalize_ack").replies, s.replies...)
	s.close = true
	return s
}
