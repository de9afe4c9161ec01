package listen

import (
	"errors"
	"net"
	"sync"
)

// group is several listeners as one: Accept returns what any of them
// accepts, Close closes all and waits for their goroutines.
type group struct {
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

func newGroup(listeners []net.Listener) *group {
	g := &group{listeners: listeners, accepted: make(chan accepted), closed: make(chan struct{})}
	for _, listener := range listeners {
		g.accepting.Go(func() { g.accept(listener) })
	}
	return g
}

func (g *group) accept(listener net.Listener) {
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

func (g *group) Accept() (net.Conn, error) {
	select {
	case a := <-g.accepted:
		return a.conn, a.err
	case <-g.closed:
		return nil, net.ErrClosed
	}
}

func (g *group) Close() error {
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
func (g *group) Addr() net.Addr { return g.listeners[0].Addr() }
