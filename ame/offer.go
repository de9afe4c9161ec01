package ame

import "encoding/binary"

// memoryOffer is how a rank finds memory that another one shares with it.
type memoryOffer struct {
	descriptor int32 // of the other one's process; inMemory if the ranks are one process
	token      memoryToken
}

const inMemory = -1

// memoryToken is what the memory begins with, by which a rank knows that it has
// found the right one.
type memoryToken [16]byte

// appendTo appends a record with the descriptor and the token.
func (o *memoryOffer) appendTo(b []byte) []byte {
	body := binary.BigEndian.AppendUint32(nil, uint32(o.descriptor))
	return appendRecord(b, recordMemory, append(body, o.token[:]...))
}

// parseOffer looks for an offer among the records in b, ok == false if there
// is none.
func parseOffer(b []byte) (o memoryOffer, ok bool) {
	body, ok := findRecord(b, recordMemory)
	if !ok || len(body) < 4+len(o.token) {
		return memoryOffer{}, false
	}
	o.descriptor = int32(binary.BigEndian.Uint32(body))
	copy(o.token[:], body[4:])
	return o, true
}
