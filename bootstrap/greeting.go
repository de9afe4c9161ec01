package bootstrap

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A file can be of another job: of one that crashed, or of a program that
// ran just before in the same step. So where rank 0's address came from a
// file, the ranks meet once before any of them trusts it. Each connects to
// the listener of rank 0 and both prove that they know the key:
//
//	rank    magic 8, nonce 16, rank uint32, HMAC("rank", nonce, rank) 32 bytes
//	rank 0  HMAC("root", nonce, rank) 32 bytes
//	rank 0  1 byte, when all ranks are there
//
// Nobody leaves before all have come, so the file can go before anybody
// looks for the next one.
const (
	greetingMagic = "dlp-go\x00\x01"
	greetingNonce = 16
	greetingSize  = len(greetingMagic) + greetingNonce + 4 + sha256.Size

	greetingTime    = 10 * time.Second       // for one side to say its part
	greetingStagger = 200 * time.Millisecond // before the next address is tried too
)

// proof is what one side shows for a greeting that starts with head.
func (k Key) proof(side string, head []byte) []byte {
	return mac(k.secret, "dlp-go greeting "+side, head)
}

// gathering is rank 0's side: it waits on its listener for all other ranks.
type gathering struct {
	key      Key
	size     int
	guests   sync.WaitGroup
	complete chan struct{} // closed when all are there

	mu      sync.Mutex
	open    map[net.Conn]bool
	present map[int][]net.Conn // connections of each rank; it may have tried several addresses
}

// gather returns when all other ranks have greeted, having called before
// first: then everybody may go. After an error the ranks that have come see
// their connection end.
func gather(ctx context.Context, listener *listenerGroup, key Key, size int, before func() error) error {
	g := &gathering{
		key: key, size: size, complete: make(chan struct{}),
		open: make(map[net.Conn]bool), present: make(map[int][]net.Conn),
	}
	err := g.wait(ctx, listener)
	if err == nil {
		err = before()
	}
	g.end(err == nil)
	g.guests.Wait()
	return err
}

func (g *gathering) wait(ctx context.Context, listener *listenerGroup) error {
	for {
		select {
		case a := <-listener.accepted:
			if a.err != nil {
				return a.err
			}
			g.receive(a.conn)
		case <-listener.closed:
			return net.ErrClosed
		case <-g.complete:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", g.missing(), context.Cause(ctx))
		}
	}
}

// receive handles one connection on its own: one that says nothing keeps
// nobody waiting.
func (g *gathering) receive(conn net.Conn) {
	g.mu.Lock()
	g.open[conn] = true
	g.mu.Unlock()
	g.guests.Go(func() {
		if rank, ok := g.check(conn); ok {
			g.admit(rank, conn)
			return
		}
		conn.Close()
		g.mu.Lock()
		delete(g.open, conn)
		g.mu.Unlock()
	})
}

// check reads a greeting and answers it, if it is one of ours.
func (g *gathering) check(conn net.Conn) (rank int, ok bool) {
	conn.SetDeadline(time.Now().Add(greetingTime))
	var greeting [greetingSize]byte
	if _, err := io.ReadFull(conn, greeting[:]); err != nil {
		return 0, false
	}
	head, proof := greeting[:greetingSize-sha256.Size], greeting[greetingSize-sha256.Size:]
	if !bytes.HasPrefix(head, []byte(greetingMagic)) || !hmac.Equal(proof, g.key.proof("rank", head)) {
		return 0, false
	}
	n := binary.BigEndian.Uint32(head[len(head)-4:])
	if n == 0 || n >= uint32(g.size) {
		return 0, false
	}
	if _, err := conn.Write(g.key.proof("root", head)); err != nil {
		return 0, false
	}
	return int(n), true
}

func (g *gathering) admit(rank int, conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.present[rank] = append(g.present[rank], conn)
	if len(g.present) == g.size-1 && len(g.present[rank]) == 1 {
		close(g.complete)
	}
}

// end closes all connections; first it lets the ranks go if all is well.
func (g *gathering) end(well bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, conns := range g.present {
		for _, conn := range conns {
			if well {
				conn.SetDeadline(time.Now().Add(greetingTime))
				conn.Write([]byte{1}) // fits any socket buffer; a rank that has left meanwhile is not missed here
			}
		}
	}
	for conn := range g.open {
		conn.Close()
	}
}

// missing names the ranks that have not come.
func (g *gathering) missing() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var absent []string
	for rank := 1; rank < g.size; rank++ {
		if g.present[rank] == nil {
			absent = append(absent, strconv.Itoa(rank))
		}
	}
	const shown = 10
	if n := len(absent); n > shown {
		absent = append(absent[:shown], fmt.Sprintf("... (%d ranks)", n))
	}
	return fmt.Sprintf("of %d ranks these have not come: %s", g.size, strings.Join(absent, ", "))
}

// greet is another rank's side. It tries the addresses of rank 0 one after
// another, each a little after the one before, and returns nil when rank 0
// has proved itself and all ranks are there.
func greet(ctx context.Context, root []string, key Key, rank int) error {
	ctx, cancel := context.WithCancel(ctx)
	type outcome struct {
		conn net.Conn
		err  error
	}
	outcomes := make(chan outcome)
	var tries sync.WaitGroup
	defer tries.Wait()
	defer cancel()
	for i, address := range root {
		tries.Go(func() {
			conn, err := introduce(ctx, address, time.Duration(i)*greetingStagger, key, rank)
			select {
			case outcomes <- outcome{conn, err}:
			case <-ctx.Done():
				if conn != nil {
					conn.Close()
				}
			}
		})
	}
	var errs []error
	for range root {
		select {
		case o := <-outcomes:
			if o.err == nil {
				return awaitOthers(ctx, o.conn)
			}
			errs = append(errs, o.err)
		case <-ctx.Done():
			return errors.Join(append(errs, context.Cause(ctx))...)
		}
	}
	return errors.Join(errs...)
}

// introduce greets at one address and returns the connection if rank 0 is there.
func introduce(ctx context.Context, address string, pause time.Duration, key Key, rank int) (net.Conn, error) {
	if !sleep(ctx, pause) {
		return nil, context.Cause(ctx)
	}
	dialer := net.Dialer{Timeout: greetingTime}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(greetingTime))
	head := slices.Concat([]byte(greetingMagic), make([]byte, greetingNonce))
	rand.Read(head[len(greetingMagic):])
	head = binary.BigEndian.AppendUint32(head, uint32(rank))
	_, err = conn.Write(slices.Concat(head, key.proof("rank", head)))
	var proof [sha256.Size]byte
	if err == nil {
		_, err = io.ReadFull(conn, proof[:])
	}
	if err == nil && !hmac.Equal(proof[:], key.proof("root", head)) {
		err = errors.New("wrong key")
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("%s is not the rank 0 that we look for: %w", address, err)
	}
	return conn, nil
}

// awaitOthers returns when rank 0 says that all ranks are there.
func awaitOthers(ctx context.Context, conn net.Conn) error {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Time{}) // ctx ends the wait
	var all [1]byte
	if _, err := io.ReadFull(conn, all[:]); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("rank 0 at %s waited for the other ranks: %w", conn.RemoteAddr(), err)
	}
	return nil
}
