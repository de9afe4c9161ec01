package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
)

// encode makes the bytes of a report that travel and that a journal keeps: the
// length of its fields as JSON, these, and the output of both streams. dlp report
// reads them without the types of this program's package dlp.
func (r *report) encode() ([]byte, error) {
	r.Inline = [2]int{len(r.Output[0]), len(r.Output[1])}
	fields, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, binary.MaxVarintLen64+len(fields)+r.Inline[0]+r.Inline[1])
	b = binary.AppendUvarint(b, uint64(len(fields)))
	b = append(b, fields...)
	b = append(b, r.Output[0]...)
	return append(b, r.Output[1]...), nil
}

var errReport = errors.New("this is no report of an item")

// decodeReport is the opposite of encode; the output shares memory with b.
func decodeReport(b []byte) (r report, err error) {
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return r, errReport
	}
	fields, output := b[n:n+int(length)], b[n+int(length):]
	if err := json.Unmarshal(fields, &r); err != nil {
		return report{}, err
	}
	if r.Inline[0] < 0 || r.Inline[1] < 0 || r.Inline[0] > len(output) || r.Inline[0]+r.Inline[1] != len(output) {
		return report{}, errReport
	}
	r.Output = [2][]byte{output[:r.Inline[0]], output[r.Inline[0]:]}
	return r, nil
}
