package dlp

import (
	"context"
	"errors"
	"sync"
)

// Mutex is a lock that one goroutine of one rank of a Comm can have. It may be used
// inside loops. When the rank that has it is lost, or closes it, the next one gets it:
// what it protects may be half done then.
type Mutex struct {
	service *service

	mu     sync.Mutex
	holder uint32 // the call of this rank that has it; 0: none
}

// NewMutex makes a Mutex that nobody has. All ranks must call it, in the same
// order as their other collectives on c, which serves as of Barrier. Close it. Rank 0
// answers the others until it closes c, so it does that behind a Barrier.
func NewMutex(ctx context.Context, c *Comm) (*Mutex, error) {
	s, err := newService(ctx, c, "mutex")
	if err != nil {
		return nil, err
	}
	return &Mutex{service: s}, nil
}

// Lock waits until this rank has the Mutex. Those that wait get it in the order in
// which rank 0 hears of them. When ctx ends, Lock does not wait any more and this rank has it
// not. Without rank 0 of the Comm every call is ErrLost.
func (m *Mutex) Lock(ctx context.Context) error {
	c, err := m.service.begin(ctx, askLock, 0)
	if err != nil {
		return err
	}
	_, err = m.service.await(ctx, c)
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.holder = c.id
		return nil
	}
	if ctx.Err() == nil {
		return err
	}
	// It is granted before rank 0 hears that it is given up, or withdrawn. There
	// is one answer in any case.
	if failed := m.service.notify(askRelease, c.id); failed != nil {
		return errors.Join(err, failed)
	}
	if _, failed := m.service.await(context.Background(), c); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

var errUnlocked = errors.New("this rank has not locked it")

// Unlock gives the Mutex up. It does not wait. That this rank has it not is an
// error.
func (m *Mutex) Unlock() error {
	m.mu.Lock()
	id := m.holder
	m.holder = 0
	m.mu.Unlock()
	if id == 0 {
		return m.service.errorf(errUnlocked)
	}
	return m.service.notify(askRelease, id)
}

// Close ends this rank's use of the Mutex, and unlocks it if this rank has it. The
// others go on. To close the Comm of Init does so as well. A second Close does
// nothing.
func (m *Mutex) Close() error { return m.service.close() }
