package journal

import (
	"encoding/binary"
	"math"
	"time"
)

// parseDescription is the opposite of append, behind the kind.
func parseDescription(body []byte) (d Description, err error) {
	p := parser{rest: body}
	for _, s := range []*string{&d.Label, &d.Item, &d.Result, &d.Version, &d.Identity} {
		*s = p.text()
	}
	if p.bad {
		return d, errBody
	}
	return d, nil
}

func parseStart(body []byte) (s Start, err error) {
	p := parser{rest: body}
	s.Time = time.Unix(0, p.varint())
	s.Job = p.text()
	for n := p.number(uint64(len(p.rest))); n > 0 && !p.bad; n-- { // each has a byte or more
		s.Hosts = append(s.Hosts, p.text())
	}
	if p.bad {
		return s, errBody
	}
	return s, nil
}

// parseRecord fills r, whose Body shares the memory.
func parseRecord(body []byte, r *Record) error {
	p := parser{rest: body}
	*r = Record{}
	copy(r.Digest[:], p.take(uint64(len(r.Digest))))
	r.Occurrence = uint32(p.number(math.MaxUint32))
	r.Index = int(p.number(math.MaxInt))
	r.Rank = int(p.number(math.MaxInt32))
	r.Attempt = int(p.number(math.MaxInt32))
	r.Ended = time.Unix(0, p.varint())
	r.Took = time.Duration(p.number(math.MaxInt64))
	r.Failed = p.byte() != 0
	if format := p.take(2); format != nil {
		r.Format = binary.BigEndian.Uint16(format)
	}
	r.Body = p.rest
	if p.bad {
		return errBody
	}
	return nil
}
