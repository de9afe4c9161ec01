package pmi

import (
	"fmt"
)

// session is the client's half of the conversation: it writes requests and
// judges replies, and does no I/O. Its requests wait for their reply, one at a
// time: slurmstepd answers only the first of two that come together.
type session struct {
	kvsname string
	limits  limits
}

func newSession() session {
	return session{limits: limits{key: maxKey, value: maxValue}}
}

// request is a line to send and the command that its reply must have.
type request struct {
	line  []byte
	reply string
}

func newRequest(reply, command string, pairs ...string) request {
	return request{appendMessage(nil, command, pairs...), reply}
}

// initack shows the launcher of PMI_PORT mode who is calling.
func (s *session) initack(id string) request { return newRequest("initack", "initack", "pmiid", id) }

// init is sent by every rank before anything else, in exactly this spelling:
// slurmstepd reads it with sscanf, and dies of a session without it.
func (s *session) init() request {
	return newRequest("response_to_init", "init", "pmi_version", "1", "pmi_subversion", "1")
}

func (s *session) maxes() request    { return newRequest("maxes", "get_maxes") }
func (s *session) name() request     { return newRequest("my_kvsname", "get_my_kvsname") }
func (s *session) appnum() request   { return newRequest("appnum", "get_appnum") }
func (s *session) barrier() request  { return newRequest("barrier_out", "barrier_in") }
func (s *session) finalize() request { return newRequest("finalize_ack", "finalize") }

func (s *session) put(key, value string) (request, error) {
	if err := s.limits.checkKey(key); err != nil {
		return request{}, err
	}
	if err := s.limits.checkValue(value); err != nil {
		return request{}, fmt.Errorf("key %s: %w", key, err)
	}
	return short(newRequest("put_result", "put", "kvsname", s.kvsname, "key", key, "value", value))
}

func (s *session) get(key string) (request, error) {
	if err := s.limits.checkKey(key); err != nil {
		return request{}, err
	}
	return short(newRequest("get_result", "get", "kvsname", s.kvsname, "key", key))
}

// short refuses a request that some launcher would cut.
func short(r request) (request, error) {
	if len(r.line) > maxRequest {
		return request{}, fmt.Errorf("the request has %d bytes, launchers take %d", len(r.line), maxRequest)
	}
	return r, nil
}

// room returns the length of the longest value that one put of any part of
// key can carry.
func (s *session) room(key string) (int, error) {
	longest := partKey(key, maxParts)
	if err := s.limits.checkKey(longest); err != nil {
		return 0, err
	}
	empty := newRequest("put_result", "put", "kvsname", s.kvsname, "key", longest, "value", "")
	return min(s.limits.value, maxRequest-len(empty.line)), nil
}

// accept judges the reply to r. Anything but the command that belongs to r
// means that the two sides have lost each other.
func (s *session) accept(r request, line string) (message, error) {
	m, err := parseMessage(line)
	if err != nil {
		return message{}, fmt.Errorf("the launcher's reply: %w", err)
	}
	if m.command() != r.reply {
		return message{}, fmt.Errorf("the launcher replied %s and not cmd=%s", m, r.reply)
	}
	rc, ok := m.get("rc")
	found, _ := m.get("found") // of hydra 4.1 to 4.3, which take the word from PMI-2
	switch {
	case r.reply == "get_result" && found == "FALSE":
		return message{}, ErrNoKey
	case !ok || rc == "0":
		return m, nil
	case r.reply == "get_result": // rc is negative under hydra 4.0, 1 under others
		return message{}, ErrNoKey
	case r.reply == "response_to_init":
		return message{}, fmt.Errorf("the launcher does not speak PMI-1.1: %s", m)
	}
	return message{}, fmt.Errorf("the launcher refused: %s", m)
}

// isSet says whether line is one of those that tell a seat.
func (s *session) isSet(line string) bool {
	m, err := parseMessage(line)
	return err == nil && m.command() == "set"
}

// seat is what the launcher of PMI_PORT mode tells about its caller. Some send
// rank and size with the initack, all send them in lines of their own, among
// others, after it.
type seat struct {
	rank, size         int
	haveRank, haveSize bool
}

func (s *seat) complete() bool { return s.haveRank && s.haveSize }

// learn takes what m says about rank and size.
func (s *seat) learn(m message) {
	if n, err := m.number("rank"); err == nil {
		s.rank, s.haveRank = n, true
	}
	if n, err := m.number("size"); err == nil {
		s.size, s.haveSize = n, true
	}
}
