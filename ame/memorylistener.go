package ame

import (
	"context"
	"net"
	"sync"
)

// MemoryListener connects ranks that are goroutines of one process, without
// a socket. Rank 0 gets it as Config.Listener, the others its Dial.
type MemoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewMemoryListener returns a listener that waits for calls of its Dial.
func NewMemoryListener() *MemoryListener {
	return &MemoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial connects to the listener; the address does not matter.
func (m *MemoryListener) Dial(ctx context.Context, address string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case m.conns <- far:
		return near, nil
	case <-m.closed:
	case <-ctx.Done():
	}
	near.Close()
	far.Close()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, net.ErrClosed
}

// Accept waits for the next Dial.
func (m *MemoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-m.conns:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and Dial. Connections stay open.
func (m *MemoryListener) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

// Addr names the listener.
func (m *MemoryListener) Addr() net.Addr { return memoryAddr{} }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }
