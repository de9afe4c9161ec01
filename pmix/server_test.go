package pmix

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// question is what a server reads in a request.
type question struct {
	command   byte
	namespace string
	rank      uint32
	key       string
	flag      bool // pmix.collect or pmix.immediate
	pairs     []pair
	code      Status
	message   string
}

// pack is the request as the client packs it.
func (q question) pack(c codec) []byte {
	switch q.command {
	case commandAbort:
		return c.abortRequest(q.code, q.message)
	case commandCommit:
		return c.commitRequest(q.pairs)
	case commandFence:
		return c.fenceRequest(q.namespace, q.flag)
	case commandGet:
		return c.getRequest(q.namespace, q.rank, q.key, q.flag)
	default:
		return c.appendCommand(nil, q.command)
	}
}

// parseQuestion is the server's side of request.go.
func parseQuestion(c codec, payload []byte) (question, error) {
	u := &unpacker{codec: c, data: payload}
	u.prefix(typeCommand)
	q := question{command: u.byte()}
	item := func(t dataType) *unpacker { u.prefix(t); return u }
	switch q.command {
	case commandAbort:
		q.code = Status(item(typeStatus).int(4))
		q.message = item(typeString).string()
		if n := item(typeSize).size(); n != 0 {
			u.fail(fmt.Errorf("%d procs", n))
		}
	case commandCommit:
		for range 2 {
			if scope := item(typeScope).byte(); scope == 2 {
				q.pairs = nil // the same again
			}
			if kind := item(typeBuffer).byte(); kind != c.bufferType() {
				u.fail(fmt.Errorf("buffer of type %d", kind))
			}
			b := &unpacker{codec: c, data: u.blob()}
			for b.more() {
				b.prefix(typeKval)
				k := b.kval()
				q.pairs = append(q.pairs, pair{k.key, k.text})
			}
			if b.err != nil {
				u.fail(b.err)
			}
		}
	case commandFence:
		if n := item(typeSize).size(); n != 1 {
			u.fail(fmt.Errorf("fence of %d procs", n))
		}
		q.namespace, q.rank = item(typeProc).proc()
		q.flag = u.flag("pmix.collect")
	case commandGet:
		q.namespace = item(typeString).string()
		q.rank = uint32(item(typeProcRank).uint(4))
		q.flag = u.flag("pmix.immediate")
		q.key = item(typeString).string()
	case commandFinalize:
	default:
		u.fail(fmt.Errorf("command %d", q.command))
	}
	if len(u.data) > 0 {
		u.fail(fmt.Errorf("%d bytes after the request", len(u.data)))
	}
	return q, u.err
}

func (u *unpacker) flag(key string) bool {
	u.prefix(typeSize)
	if u.size() == 0 {
		return false
	}
	u.prefix(typeInfo)
	if k := u.info(0); k.key != key || k.num != 1 {
		u.fail(fmt.Errorf("attribute %q", k.key))
	}
	return true
}

func (c codec) packStatus(s Status) []byte {
	return c.appendInt(c.appendPrefix(nil, typeStatus, 1), int64(s), 4)
}

// packFound is the answer to a get that found known.
func (c codec) packFound(namespace string, rank uint32, known []kval) []byte {
	object := c.appendPrefix(nil, typeProc, 1)
	object = c.appendProc(object, namespace, rank)
	for _, k := range known {
		object = c.appendPrefix(object, typeKval, 1)
		object = c.appendString(object, k.key)
		object = c.appendUint(object, uint64(k.typ), 2)
		switch k.typ {
		case typeString:
			object = c.appendString(object, k.text)
		case typeUint32:
			object = c.appendUint(object, k.num, 4)
		case typeByteObject:
			object = append(c.appendLength(object, len(k.data)), k.data...)
		default:
			panic(fmt.Sprintf("type %d", k.typ))
		}
	}
	b := c.packStatus(0)
	b = c.appendPrefix(b, typeByteObject, 1)
	return append(c.appendLength(b, len(object)), object...)
}

// parseHello is the server's side of handshake.go. It takes header and body.
func parseHello(b []byte) (h hello, version, store string, rest []byte, err error) {
	if len(b) < headerSize || int(binary.NativeEndian.Uint32(b[8:]))+headerSize != len(b) {
		return h, "", "", nil, errTruncated
	}
	u := &unpacker{data: b[headerSize:]}
	cString := func() string {
		i := bytes.IndexByte(u.data, 0)
		if i < 0 {
			u.fail(errTruncated)
			return ""
		}
		return string(u.bytes(i + 1)[:i])
	}
	word := func() uint32 {
		if w := u.bytes(4); w != nil {
			return binary.BigEndian.Uint32(w)
		}
		return 0
	}
	h.security = cString()
	h.credential = u.bytes(int(word()))
	if flag := u.byte(); flag != 0 {
		u.fail(fmt.Errorf("flag %d", flag))
	}
	h.namespace = cString()
	h.rank = word()
	version = cString()
	h.module = cString()
	h.codec = codec{fixed: h.module == "v3", described: u.byte() == 2}
	store = cString()
	return h, version, store, u.data, u.err
}

func readHello(conn net.Conn) (hello, error) {
	start := make([]byte, headerSize)
	if _, err := io.ReadFull(conn, start); err != nil {
		return hello{}, err
	}
	body := make([]byte, binary.NativeEndian.Uint32(start[8:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		return hello{}, err
	}
	h, _, store, _, err := parseHello(append(start, body...))
	if store != "hash" {
		err = errors.Join(err, fmt.Errorf("store %q", store))
	}
	return h, err
}

// fakeServer serves the ranks of one job on one node, as much of PMIx as the
// client uses. All answers that wait are given when their time has come.
type fakeServer struct {
	size int

	// instead, if not nil, may do with a question what a test needs; answer
	// gets those that it returns false for.
	instead func(q question, reply func([]byte)) (done bool)

	mu      sync.Mutex
	values  map[uint32]map[string]string
	waiting map[string][]func() // by key: gets that wait for a commit
	fence   []func()            // ranks within the fence
	done    map[uint32]bool     // finalized
}

func newFakeServer(size int) *fakeServer {
	return &fakeServer{
		size:    size,
		values:  make(map[uint32]map[string]string),
		waiting: make(map[string][]func()),
		done:    make(map[uint32]bool),
	}
}

// serve talks to one client until it finalizes or goes away.
func (s *fakeServer) serve(conn net.Conn) error {
	defer conn.Close()
	h, err := readHello(conn)
	if err != nil {
		return err
	}
	if _, err := conn.Write(binary.BigEndian.AppendUint32(make([]byte, 4), h.rank+7)); err != nil {
		return err
	}
	for {
		hd, payload, err := readFrame(conn)
		if err != nil {
			return err
		}
		if hd.index != h.rank+7 {
			return fmt.Errorf("index %d", hd.index)
		}
		q, err := parseQuestion(h.codec, payload)
		if err != nil {
			return err
		}
		var sent sync.Once
		reply := func(payload []byte) { sent.Do(func() { writeFrame(conn, hd.tag, payload) }) }
		if s.instead != nil && s.instead(q, reply) {
			continue
		}
		s.answer(h, q, reply)
		if q.command == commandFinalize {
			return nil
		}
	}
}

func (s *fakeServer) answer(h hello, q question, reply func([]byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := h.codec.packStatus(0)
	switch q.command {
	case commandCommit:
		if s.values[h.rank] == nil {
			s.values[h.rank] = make(map[string]string)
		}
		for _, p := range q.pairs {
			s.values[h.rank][p.key] = p.value
		}
		reply(ok)
		for _, p := range q.pairs {
			for _, f := range s.waiting[p.key] {
				f()
			}
			delete(s.waiting, p.key)
		}
	case commandFence:
		s.fence = append(s.fence, func() { reply(ok) })
		if len(s.fence) == s.size {
			for _, f := range s.fence {
				f()
			}
			s.fence = nil
		}
	case commandGet:
		if q.rank == wildcard {
			reply(h.codec.packFound(h.namespace, wildcard, s.job(q.key)))
			return
		}
		give := func() {
			reply(h.codec.packFound(h.namespace, q.rank, texts(s.values[q.rank])))
		}
		if _, known := s.values[q.rank][q.key]; known {
			give()
		} else if q.flag {
			reply(h.codec.packStatus(StatusNotFound))
		} else {
			s.waiting[q.key] = append(s.waiting[q.key], give)
		}
	case commandFinalize:
		s.done[h.rank] = true
		reply(ok)
	default:
		reply(ok)
	}
}

func (s *fakeServer) job(key string) []kval {
	switch key {
	case "pmix.job.size":
		return []kval{{key, value{typ: typeUint32, num: uint64(s.size)}}}
	case "pmix.lpeers":
		var all []string
		for r := range s.size {
			all = append(all, strconv.Itoa(r))
		}
		slices.Reverse(all)
		return []kval{{key, value{typ: typeString, text: strings.Join(all, ",")}}}
	}
	return nil
}

func texts(m map[string]string) []kval {
	var known []kval
	for k, v := range m {
		known = append(known, kval{k, value{typ: typeString, text: v}})
	}
	return known
}

func readFrame(conn net.Conn) (header, []byte, error) {
	var start [headerSize]byte
	if _, err := io.ReadFull(conn, start[:]); err != nil {
		return header{}, nil, err
	}
	h, err := parseHeader(start)
	if err != nil {
		return h, nil, err
	}
	payload := make([]byte, h.length)
	_, err = io.ReadFull(conn, payload)
	return h, payload, err
}

func writeFrame(conn net.Conn, tag uint32, payload []byte) error {
	h := header{tag: tag, length: uint32(len(payload))}
	_, err := conn.Write(append(h.append(nil), payload...))
	return err
}
