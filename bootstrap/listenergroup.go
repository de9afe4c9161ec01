package bootstrap

import (
	"errors"
	"net"
	"sync"
)

// listenerGroup is several listeners as one: Accept returns what any of them
// accepts, Close closes all and waits for their goroutines.
type listenerGroup struct {
	listeners []net.Listener
	accepted  chan accepted
	closed    chan struct{}
	close     sync.Once
	accepting sync.WaitGroup
}

type accepted struct {
	conn net.Conn
	err  error
}

func newListenerGroup(listeners []net.Listener) *listenerGroup {
	g := &listenerGroup{listeners: listeners, accepted: make(chan accepted), closed: make(chan struct{})}
	for _, listener := range listeners {
		g.accepting.Go(func() { g.accept(listener) })
	}
	return g
}

func (g *listenerGroup) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case g.accepted <- accepted{conn, err}:
		case <-g.closed:
			if conn != nil {
				conn.Close()
			}
			return
		}
	}
}

func (g *listenerGroup) Accept() (net.Conn, error) {
	select {
	case a := <-g.accepted:
		return a.conn, a.err
	case <-g.closed:
		return nil, net.ErrClosed
	}
}

func (g *listenerGroup) Close() error {
	var errs []error
	g.close.Do(func() {
		close(g.closed)
		for _, listener := range g.listeners {
			errs = append(errs, listener.Close())
		}
	})
	g.accepting.Wait()
	return errors.Join(errs...)
}

// Addr is the address of the first listener; all have the same port.
func (g *listenerGroup) Addr() net.Addr { return g.listeners[0].Addr() }
