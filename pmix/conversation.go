package pmix

// firstTag is the tag of the first request, as in the C library; the tags
// below belong to the server.
const firstTag = 101

// conversation gives every request its tag and finds the request that an
// answer belongs to. It does no I/O and is not safe for concurrent use.
type conversation struct {
	index   uint32 // ours, from the handshake
	tag     uint32 // of the last request; 0 before the first
	pending map[uint32]chan<- []byte
}

// request returns the frame that asks payload. The answer's payload goes into
// answer, which must have room for it.
func (v *conversation) request(payload []byte, answer chan<- []byte) (frame []byte, tag uint32) {
	if v.pending == nil {
		v.pending = make(map[uint32]chan<- []byte)
	}
	for taken := true; taken; _, taken = v.pending[v.tag] {
		v.tag = max(v.tag+1, firstTag) // wraps around to the first
	}
	v.pending[v.tag] = answer
	h := header{index: v.index, tag: v.tag, length: uint32(len(payload))}
	return append(h.append(nil), payload...), v.tag
}

// forget gives a request up; its answer will be dropped.
func (v *conversation) forget(tag uint32) { delete(v.pending, tag) }

// expects says whether a request with this tag waits for its answer.
func (v *conversation) expects(tag uint32) bool {
	_, ok := v.pending[tag]
	return ok
}

// answer hands a payload to the request with this tag, if it still waits.
func (v *conversation) answer(tag uint32, payload []byte) {
	if answer, ok := v.pending[tag]; ok {
		delete(v.pending, tag)
		answer <- payload
	}
}
