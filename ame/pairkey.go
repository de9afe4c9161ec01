package ame

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
)

// Two ranks other than 0 prove to each other that they know a key which nobody
// but rank 0 has, too: it puts the key behind what they ask and answer when they
// make a link. So no rank can play another one to a third.

// pairKeySize is the length of such a key, in bytes.
const pairKeySize = sha256.Size

// pairKeys are all of them, on rank 0.
type pairKeys struct{ secret [32]byte }

func newPairKeys() *pairKeys {
	k := &pairKeys{}
	rand.Read(k.secret[:]) // never fails, crypto/rand
	return k
}

// of returns the key of two ranks, in either order.
func (k *pairKeys) of(a, b uint32) Key {
	mac := hmac.New(sha256.New, k.secret[:])
	mac.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, min(a, b)), max(a, b)))
	return mac.Sum(nil)
}

// keyring has the keys that this rank has in common with others. The zero value
// is ready for use.
type keyring struct {
	mu   sync.Mutex
	keys map[int]Key // by rank
}

// take keeps the key behind what a rank has said by way of rank 0, and returns
// that.
func (r *keyring) take(rank int, body []byte) (said []byte, err error) {
	end := len(body) - pairKeySize
	if end < 0 {
		return nil, fmt.Errorf("%d bytes where the key of a pair belongs", len(body))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		r.keys = map[int]Key{}
	}
	r.keys[rank] = body[end:]
	return body[:end], nil
}

// with returns the key in common with a rank, nil if there is none yet.
func (r *keyring) with(rank int) Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys[rank]
}
