package ame

import (
	"crypto/hmac"
	"crypto/rand"
	"fmt"
)

// The handshake proves to both ends of a new connection that the other one
// knows the job's key, and which rank it is:
//
//	opener   -> listener   hello                 who I am, whom I mean, my nonce
//	listener -> opener     hello, proof          the same of the listener, HMAC as "listener"
//	opener   -> listener   proof                 HMAC as "opener"
//	listener -> opener     verdict               one byte
//
// Each proof covers both hellos, so both nonces, ranks, sizes, versions, the
// job and the run. A mirrored hello has the wrong role, a mirrored proof the
// wrong label. docs/ame-protocol.md has the byte tables.
//
// Here is what is said. How it gets to the other end is in greet.go.

// credentials are what a rank shows to others, and holds them to.
type credentials struct {
	rank, size int
	job        string
	key        Key
	run        run // zero on a rank that has not joined yet
	instance   instance
	encryption *encryption // nil: none
	pairs      *keyring    // in place of key, between ranks other than 0; nil: key
}

// keyWith returns the key that proves this rank and another one to each other, nil
// if there is none.
func (c *credentials) keyWith(rank int) Key {
	if c.pairs != nil {
		return c.pairs.with(rank)
	}
	return c.key
}

// at returns the credentials for the job of an endpoint.
func (c credentials) at(e Endpoint) credentials {
	c.job, c.key = e.Job, e.Key
	return c
}

// errWrongKey is what a peer of our job and protocol gets whose proof is not ours.
var errWrongKey = fmt.Errorf("%w: wrong key", ErrAuth)

// hello is what this rank says to another one.
func (c *credentials) hello(r role, addressee int) hello {
	h := hello{
		role: r, rank: uint32(c.rank), size: uint32(c.size), addressee: uint32(addressee),
		job: jobDigest(c.job), run: c.run, instance: c.instance,
	}
	rand.Read(h.nonce[:]) // never fails, crypto/rand
	return h
}

// check compares what the other end says with what it should: everything but
// its proof. want is its role.
func (c *credentials) check(h *hello, want role) error {
	switch {
	case h.role != want:
		return fmt.Errorf("%w: wrong role %d (another rank of our kind, or a mirror)", ErrAuth, h.role)
	case h.job != jobDigest(c.job):
		return fmt.Errorf("%w: it belongs to another job, or the job's name or key was set differently", ErrAuth)
	case int64(h.size) != int64(c.size):
		return fmt.Errorf("%w: its job has %d ranks, ours %d", ErrAuth, h.size, c.size)
	case h.rank >= h.size || int(h.rank) == c.rank:
		return fmt.Errorf("%w: it says to be rank %d of %d, and this is rank %d", ErrAuth, h.rank, h.size, c.rank)
	case int(h.addressee) != c.rank:
		return fmt.Errorf("%w: it looks for rank %d, this is rank %d", ErrAuth, h.addressee, c.rank)
	case h.run != run{} && c.run != run{} && h.run != c.run:
		return fmt.Errorf("%w: it belongs to another program of this task", ErrAuth)
	}
	return nil
}

// opening is the opener's side of a handshake.
type opening struct {
	*credentials
	addressee int
	mine      []byte // hello in wire form
	binding   []byte // of the connection, nil if it is not encrypted
	theirs    hello  // once the listener has proved itself
}

// open begins a handshake with the rank that is meant to listen.
func (c *credentials) open(addressee int) *opening {
	h := c.hello(roleOpener, addressee)
	return &opening{credentials: c, addressee: addressee, mine: h.appendTo(nil)}
}

// replySize is the length in bytes of a listener's answer to a hello.
const replySize = helloSize + proofSize

// answer takes the listener's reply and returns the proof that the opener owes
// it. As long as that is not sent, the listener does not count the connection.
func (o *opening) answer(reply []byte) ([]byte, error) {
	theirs := reply[:helloSize]
	h, err := parseHello(theirs)
	if err == nil {
		err = o.check(&h, roleListener)
	}
	switch {
	case err != nil:
		return nil, err
	case int(h.rank) != o.addressee:
		return nil, fmt.Errorf("%w: rank %d answers in place of rank %d", ErrAuth, h.rank, o.addressee)
	case !hmac.Equal(reply[helloSize:], proof(o.keyWith(o.addressee), roleListener, o.mine, theirs, o.binding)):
		return nil, errWrongKey
	}
	o.theirs = h
	return proof(o.keyWith(o.addressee), roleOpener, o.mine, theirs, o.binding), nil
}

// admission is the listener's side of a handshake.
type admission struct {
	*credentials
	opener hello  // proved only after prove
	reply  []byte // to be sent
	want   []byte // the proof that is to come
}

// admit takes an opener's hello, over a connection with the given binding.
func (c *credentials) admit(theirs, binding []byte) (*admission, error) {
	h, err := parseHello(theirs)
	if err == nil {
		err = c.check(&h, roleOpener)
	}
	if err != nil {
		return nil, err
	}
	key := c.keyWith(int(h.rank))
	if key == nil {
		return nil, errWrongKey
	}
	own := c.hello(roleListener, int(h.rank))
	mine := own.appendTo(nil)
	return &admission{
		credentials: c, opener: h,
		reply: append(mine, proof(key, roleListener, theirs, mine, binding)...),
		want:  proof(key, roleOpener, theirs, mine, binding),
	}, nil
}

// prove checks the opener's proof.
func (a *admission) prove(proof []byte) error {
	if !hmac.Equal(proof, a.want) {
		return errWrongKey
	}
	return nil
}
