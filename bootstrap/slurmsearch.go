package bootstrap

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxSlurmNodes  = 1024                   // nodes on which rank 0 is looked for
	maxSlurmDials  = 64                     // connections of one rank at a time
	slurmDial      = 5 * time.Second        // to connect
	slurmNextPort  = 50 * time.Millisecond  // before the next port of the sequence is tried as well
	slurmOthers    = 10 * time.Second       // before other nodes than the one that should have rank 0 are
	slurmPace      = 5 * time.Millisecond   // between connections to nodes that may or may not have it
	slurmPause     = 20 * time.Millisecond  // before a port is tried again, doubling
	slurmLongPause = 1 * time.Second        // at most
	slurmResolve   = 500 * time.Millisecond // before a name is looked up again
)

// slurmSearch is how a rank finds rank 0: it tries all ports of the sequence,
// on the node where rank 0 should be, and later or else on all nodes of the
// step, until one of them proves to be rank 0.
type slurmSearch struct {
	*slurmMember
	method slurmMethod
	local  []netip.Addr // where a rank 0 on this node would listen

	slots chan struct{}
	found chan slurmFound
	end   context.CancelCauseFunc

	mu      sync.Mutex
	next    time.Time        // when the next doubtful connection may be made
	tried   map[string]error // last error by address
	refused error            // by what says to be rank 0 of our step
	patient *time.Timer      // ends the search some time after that
}

type slurmFound struct {
	world   World // as invited
	address string
	way     slurmProofSet
}

// search finds rank 0 and fills world with what it hands over.
func (m *slurmMember) search(ctx context.Context, env Env, method slurmMethod, world *World) error {
	local, err := m.localAddrs(env)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s := &slurmSearch{
		slurmMember: m, method: method, local: local,
		slots: make(chan struct{}, maxSlurmDials), found: make(chan slurmFound),
		tried: make(map[string]error), end: cancel,
	}
	var searching sync.WaitGroup
	root, known := m.step.RootHost()
	for _, node := range m.step.Candidates(maxSlurmNodes) {
		searching.Go(func() {
			if node == root || !known || sleep(ctx, slurmOthers) {
				s.lookOn(ctx, node, node != root)
			}
		})
	}
	var found slurmFound
	select {
	case found = <-s.found:
	case <-ctx.Done():
		err = s.failure(context.Cause(ctx))
	}
	cancel(nil)
	searching.Wait()
	s.stopPatience()
	if err != nil {
		return err
	}
	world.Job, world.Key, world.RootHost = found.world.Job, found.world.Key, found.world.RootHost
	// The address that works first.
	others := slices.DeleteFunc(found.world.Root, func(a string) bool { return a == found.address })
	world.Root = append([]string{found.address}, others...)
	if found.way == proofInsecure {
		world.Warnings = append(world.Warnings, fmt.Sprintf("AME_INSECURE=1: the key of this job came to %s in clear over the network, from whoever listened on %s", m.node, found.address))
	}
	return nil
}

// localAddrs returns the addresses by which a rank 0 on this node is reached;
// where nothing restricts it, loopback is one of those on which it listens.
func (m *slurmMember) localAddrs(env Env) ([]netip.Addr, error) {
	ifs, err := netifs()
	if err != nil {
		return nil, err
	}
	if addrs := loopback(ifs); len(addrs) > 0 && !anySet(env, "AME_INTERFACE") {
		return addrs, nil
	}
	where, err := endpoints(env, ifs, m.oneNode())
	return where.publish, err
}

// lookOn looks for rank 0 on one node until ctx ends. Where it is doubtful that
// rank 0 is there, it connects at a measured pace: many ranks may be doing so.
func (s *slurmSearch) lookOn(ctx context.Context, node string, doubtful bool) {
	addrs := s.local
	for node != s.step.Node {
		var err error
		addrs, err = s.method.resolve(ctx, node)
		if err == nil && len(addrs) > 0 {
			break
		}
		if err == nil {
			err = errors.New("no address")
		}
		s.note("node "+node, err)
		if !sleep(ctx, slurmResolve) {
			return
		}
	}
	s.note("node "+node, nil)
	var trying sync.WaitGroup
	for _, addr := range addrs {
		for i, port := range s.ports.list {
			trying.Go(func() {
				if sleep(ctx, time.Duration(i)*slurmNextPort) {
					s.endpoint(ctx, hostPort(addr.Unmap().String(), port), doubtful)
				}
			})
		}
	}
	trying.Wait()
}

// endpoint tries one address and port until ctx ends.
func (s *slurmSearch) endpoint(ctx context.Context, address string, doubtful bool) {
	s.note(address, errNoAnswer)
	for pause := slurmPause; ; pause = min(2*pause, slurmLongPause) {
		if doubtful && !sleep(ctx, s.turn()) {
			return
		}
		found, err := s.try(ctx, address)
		if err == nil {
			select {
			case s.found <- found:
			case <-ctx.Done():
			}
			return
		}
		if ctx.Err() == nil {
			s.note(address, err)
		}
		if !sleep(ctx, pause/2+mathrand.N(pause)) {
			return
		}
	}
}

var errNoAnswer = errors.New("no answer yet")

// turn returns how long to wait for the next doubtful connection.
func (s *slurmSearch) turn() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.next.Before(now) {
		s.next = now
	}
	wait := s.next.Sub(now)
	s.next = s.next.Add(slurmPace)
	return wait
}

// try is a rank's side of the rendezvous on one connection.
func (s *slurmSearch) try(ctx context.Context, address string) (found slurmFound, err error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return found, ctx.Err()
	}
	dialer := net.Dialer{Timeout: slurmDial}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return found, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(slurmDialogue))

	hello := s.hello()
	if _, err := conn.Write(hello.appendTo(nil)); err != nil {
		return found, err
	}
	answer, err := readSlurmAnswer(conn)
	if err != nil {
		return found, err
	}
	if err := s.verdict(answer.verdict, answer.text); err != nil {
		return found, err
	}
	if answer.proof == 0 || answer.proof&hello.offer != answer.proof || answer.proof.strongest() != answer.proof {
		return found, errors.New("it wants a proof that was not offered")
	}
	transcript := slurmTranscript(&hello, &answer)
	proof, err := s.proofs.prove(ctx, answer.proof, transcript[:])
	if err != nil {
		return found, s.distrust(err)
	}
	if _, err := conn.Write(appendSlurmBytes(nil, proof)); err != nil {
		return found, err
	}
	sealed, err := s.readGrant(conn)
	if err != nil {
		return found, err
	}
	invitation, err := s.proofs.open(ctx, answer.proof, transcript[:], sealed)
	if err != nil {
		return found, s.distrust(err)
	}
	found = slurmFound{address: address, way: answer.proof}
	found.world.Rank, found.world.Size = s.step.Rank, s.step.Size
	return found, found.world.accept(string(invitation))
}

// hello is a fresh one: its nonce is used once.
func (s *slurmSearch) hello() slurmHello {
	hello := slurmHello{
		version: slurmVersion, rank: uint32(s.step.Rank), size: uint32(s.step.Size),
		digest: slurmDigest(s.step.Name()), instance: s.instance,
	}
	hello.offer, hello.keyID = s.proofs.have()
	rand.Read(hello.nonce[:])
	return hello
}

func (s *slurmSearch) readGrant(conn net.Conn) ([]byte, error) {
	var verdict [1]byte
	if _, err := conn.Read(verdict[:]); err != nil {
		return nil, err
	}
	body, err := readSlurmBytes(conn, maxSlurmBytes)
	if err != nil {
		return nil, err
	}
	return body, s.verdict(slurmVerdict(verdict[0]), slurmText(string(body)))
}

// verdict turns what the other end says into an error. A foreign step is no
// reason to stop: its rank 0 is on a port of ours. The others come from what
// says to be rank 0 of our own step.
func (s *slurmSearch) verdict(v slurmVerdict, text string) error {
	switch v {
	case slurmGoOn:
		return nil
	case slurmOtherStep:
		return errors.New(text)
	case slurmNoProof:
		s.proofs.findKey() // it can have been made by rank 0 just now
		return s.distrust(fmt.Errorf("%s; %s", text, s.proofs.describe()))
	case slurmRefused:
		return s.distrust(errors.New(text))
	default:
		return s.refuse(errors.New(text))
	}
}

// distrust is refuse for want of a proof.
func (s *slurmSearch) distrust(err error) error {
	return s.refuse(fmt.Errorf("%w: start munged on every node, or put one key file where all nodes see it (AME_KEY_FILE), "+
		"or set AME_INSECURE=1 to go without proof on a network that you trust", err))
}

// refuse remembers that what says to be rank 0 of our step does not take us,
// or we not it. That may be a stranger, so the search goes on, but not for long.
func (s *slurmSearch) refuse(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
	if s.patient == nil {
		s.patient = time.AfterFunc(s.method.patience, func() { s.end(errSlurmRefused) })
	}
	return err
}

var errSlurmRefused = errors.New("no other rank 0 was found")

func (s *slurmSearch) stopPatience() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.patient != nil {
		s.patient.Stop()
	}
}

func (s *slurmSearch) note(address string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.tried, address)
		return
	}
	s.tried[address] = err
}

// failure says why rank 0 was not found.
func (s *slurmSearch) failure(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	who := fmt.Sprintf("rank %d on %s", s.step.Rank, s.node)
	if s.refused != nil {
		return fmt.Errorf("%s and rank 0 do not come together: %w (%w)", who, s.refused, cause)
	}
	where := "of a node that Slurm does not tell"
	if root, known := s.step.RootHost(); known {
		where = "on " + root
	}
	return fmt.Errorf("%s cannot reach rank 0 %s: %w; tried %s", who, where, cause, s.attempts())
}

// maxSlurmAttempts is the number of different outcomes that an error lists.
const maxSlurmAttempts = 12

// attempts lists what was tried, addresses of the same outcome together.
func (s *slurmSearch) attempts() string {
	type outcome struct{ host, text string }
	ports := make(map[outcome][]string)
	for address, err := range s.tried {
		text := err.Error()
		var dial *net.OpError
		if errors.As(err, &dial) {
			text = dial.Err.Error() // without the address
		}
		host, port, _ := net.SplitHostPort(address)
		if host == "" {
			host = address
		}
		ports[outcome{host, text}] = append(ports[outcome{host, text}], port)
	}
	var parts []string
	for o, list := range ports {
		slices.Sort(list)
		part := o.host
		if list[0] != "" {
			part += " port " + strings.Join(list, ",")
		}
		parts = append(parts, part+": "+o.text)
	}
	slices.Sort(parts)
	if len(parts) == 0 {
		return "nothing yet"
	}
	if more := len(parts) - maxSlurmAttempts; more > 0 {
		parts = append(parts[:maxSlurmAttempts], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}
