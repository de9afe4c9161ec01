package pmix

import "fmt"

// Commands of a request, the same numbers from PMIx 2.2 to 7.0.
const (
	commandAbort    = 1
	commandCommit   = 2
	commandFence    = 3
	commandGet      = 4
	commandFinalize = 5
)

// wildcard stands for all ranks of a namespace, and for the job itself.
const wildcard uint32 = 0xfffffffe

func (c codec) appendCommand(b []byte, command byte) []byte {
	return append(c.appendPrefix(b, typeCommand, 1), command)
}

func (c codec) abortRequest(status Status, message string) []byte {
	b := c.appendCommand(nil, commandAbort)
	b = c.appendPrefix(b, typeStatus, 1)
	b = c.appendInt(b, int64(status), 4)
	b = c.appendPrefix(b, typeString, 1)
	b = c.appendString(b, message)
	b = c.appendPrefix(b, typeSize, 1)
	return c.appendLength(b, 0) // no procs: all of them
}

// commitRequest publishes the pairs to the ranks of this node (scope LOCAL)
// and to the others (REMOTE); a server keeps the two apart.
func (c codec) commitRequest(pairs []pair) []byte {
	packed := c.appendPairs(nil, pairs)
	b := c.appendCommand(nil, commandCommit)
	for _, scope := range []byte{1, 2} {
		b = append(c.appendPrefix(b, typeScope, 1), scope)
		b = append(c.appendPrefix(b, typeBuffer, 1), c.bufferType())
		b = append(c.appendLength(b, len(packed)), packed...)
	}
	return b
}

func (c codec) fenceRequest(namespace string, collect bool) []byte {
	b := c.appendCommand(nil, commandFence)
	b = c.appendPrefix(b, typeSize, 1)
	b = c.appendLength(b, 1)
	b = c.appendPrefix(b, typeProc, 1)
	b = c.appendProc(b, namespace, wildcard)
	return c.appendFlag(b, "pmix.collect", collect)
}

// getRequest asks for the key of a rank. With immediate the server answers
// from what it has now instead of waiting for the rank to commit.
func (c codec) getRequest(namespace string, rank uint32, key string, immediate bool) []byte {
	b := c.appendCommand(nil, commandGet)
	b = c.appendPrefix(b, typeString, 1)
	b = c.appendString(b, namespace)
	b = c.appendPrefix(b, typeProcRank, 1)
	b = c.appendUint(b, uint64(rank), 4)
	b = c.appendFlag(b, "pmix.immediate", immediate)
	b = c.appendPrefix(b, typeString, 1)
	return c.appendString(b, key)
}

func (c codec) finalizeRequest() []byte { return c.appendCommand(nil, commandFinalize) }

// appendFlag packs the attributes of a request: one that is true, or none.
func (c codec) appendFlag(b []byte, key string, set bool) []byte {
	b = c.appendPrefix(b, typeSize, 1)
	if !set {
		return c.appendLength(b, 0)
	}
	b = c.appendLength(b, 1)
	b = c.appendPrefix(b, typeInfo, 1)
	return c.appendTrue(b, key)
}

// parseStatus reads the answer to anything but a get: nil for success, else
// the Status.
func (c codec) parseStatus(payload []byte) error {
	u := &unpacker{codec: c, data: payload}
	s := u.status()
	if u.err == nil && len(u.data) > 0 {
		u.fail(fmt.Errorf("%d bytes after the status", len(u.data)))
	}
	if u.err != nil {
		return u.err
	}
	return s.orNil()
}

// parseGet reads the answer to a get about rank: whatever the server sent of
// that rank, usually more than the key asked for. No key and no error means
// that the server knows nothing. With errUnknownType the keys before the
// unknown value are returned too.
func (c codec) parseGet(payload []byte, rank uint32) ([]kval, error) {
	u := &unpacker{codec: c, data: payload}
	if s := u.status(); u.err == nil && s != 0 {
		return nil, s
	}
	var found []kval
	for u.more() {
		u.prefix(typeByteObject)
		object := &unpacker{codec: c, data: u.blob()}
		if u.err != nil {
			break
		}
		object.prefix(typeProc)
		_, about := object.proc()
		for object.more() {
			object.prefix(typeKval)
			if k := object.kval(); object.err == nil && about == rank {
				found = append(found, k)
			}
		}
		if object.err != nil {
			u.fail(object.err)
		}
	}
	return found, u.err
}

func (u *unpacker) status() Status {
	u.prefix(typeStatus)
	return Status(u.int(4))
}
