// Package simnet is a network of nodes that is not there: connections between
// processes that are goroutines, with latency, bandwidth, and processors that have
// other things to do. In a bubble of testing/synctest its time is virtual, so a job
// of ten thousand ranks starts on one machine, runs the code that is shipped, and
// takes exactly the time that the Model says.
//
// The model is that of LogGP: what a process reads and writes takes its processor,
// one call behind the other; what leaves or enters a node takes its port, one
// message behind the other; and what is under way takes the latency.
package simnet

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Model is what things cost.
type Model struct {
	Call    time.Duration // of its processor that a Read or a Write takes of a process
	Copy    float64       // bytes a second that a process reads or writes
	Latency time.Duration // between two nodes
	Rate    float64       // bytes a second, of the port of a node, in each direction
	Within  time.Duration // latency within a node, whose processes need no port
}

// Buffer is how many bytes of a connection may be under way, in each direction.
const Buffer = 4 << 20

// Network is nodes that are connected.
type Network struct {
	model Model

	mu        sync.Mutex
	nodes     map[int]*node
	listeners map[string]*listener
}

// New returns a network without processes.
func New(m Model) *Network {
	return &Network{model: m, nodes: map[int]*node{}, listeners: map[string]*listener{}}
}

// node has a port.
type node struct{ out, in resource }

// Process is one on a node of the network.
type Process struct {
	net  *Network
	node *node
	name string
	cpu  resource

	// Traffic is what the process has done.
	Traffic
}

// Traffic counts what goes through the connections of a process.
type Traffic struct {
	Dials, Writes, Reads, Out, In atomic.Int64 // the last two in bytes
}

// Process returns a new process on a node.
func (n *Network) Process(number int) *Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.nodes[number]
	if at == nil {
		at = &node{}
		n.nodes[number] = at
	}
	return &Process{net: n, node: at, name: fmt.Sprintf("n%d", number)}
}

// Listen returns a new listener of the process. Its address is of this network.
func (p *Process) Listen() net.Listener {
	n := p.net
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &listener{process: p, address: address(fmt.Sprintf("%s:%d", p.name, len(n.listeners))), calls: make(chan *conn), closed: make(chan struct{})}
	n.listeners[string(l.address)] = l
	return l
}

// Dial connects to a listener, which takes a message there and one back.
func (p *Process) Dial(ctx context.Context, to string) (net.Conn, error) {
	p.net.mu.Lock()
	l := p.net.listeners[to]
	p.net.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("dial %s: connection refused", to)
	}
	p.Dials.Add(1)
	near, far := p.connect(l.process)
	if err := sleep(ctx, 2*near.latency()); err != nil {
		return nil, err
	}
	select {
	case l.calls <- far:
		return near, nil
	case <-l.closed:
		return nil, fmt.Errorf("dial %s: connection refused", to)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// connect makes a connection between two processes.
func (p *Process) connect(to *Process) (near, far *conn) {
	there, back := newPipe(), newPipe()
	near = &conn{from: p, to: to, in: back, out: there, closed: make(chan struct{})}
	far = &conn{from: to, to: p, in: there, out: back, closed: make(chan struct{})}
	return near, far
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resource is what does one thing after the other.
type resource struct {
	mu   sync.Mutex
	free time.Time // when it is
}

// take uses it for a while, from a time on or as soon as it is free, and returns
// when that is over.
func (r *resource) take(from time.Time, d time.Duration) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.free.Before(from) {
		r.free = from
	}
	r.free = r.free.Add(d)
	return r.free
}

// over is how long bytes take at a rate.
func over(bytes int, rate float64) time.Duration {
	return time.Duration(float64(bytes) / rate * 1e9)
}

type address string

func (address) Network() string  { return "simnet" }
func (a address) String() string { return string(a) }

type listener struct {
	process *Process
	address address
	calls   chan *conn
	closed  chan struct{}
	once    sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.calls:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return l.address }
