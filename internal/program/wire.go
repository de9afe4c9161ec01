package program

import (
	"encoding/binary"
	"errors"
	"strings"
)

// On the wire a program is
//
//	build 16, args 16, app int32, parent 1, flags 1, length of the command 2, command, length of the directory 2, directory
//
// with integers in big endian; flag 1 is MPMD.
const (
	fixedSize = 16 + 16 + 4 + 1 + 1
	flagMPMD  = 1
)

var errShort = errors.New("program: cut short")

// AppendTo writes p behind b.
func (p Program) AppendTo(b []byte) []byte {
	b = append(b, p.Build[:]...)
	b = append(b, p.Args[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(int32(p.App)))
	flags := byte(0)
	if p.MPMD {
		flags |= flagMPMD
	}
	b = append(b, byte(p.Parent), flags)
	b = appendText(b, p.Command, maxCommand)
	return appendText(b, p.Dir, maxDir)
}

func appendText(b []byte, text string, limit int) []byte {
	text = text[:min(len(text), limit)]
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	return append(b, text...)
}

// Parse reads a program and returns what follows it. The texts of a stranger are
// made fit to be printed.
func Parse(b []byte) (p Program, rest []byte, err error) {
	if len(b) < fixedSize {
		return p, nil, errShort
	}
	b = b[copy(p.Build[:], b):]
	b = b[copy(p.Args[:], b):]
	p.App = int(int32(binary.BigEndian.Uint32(b)))
	p.Parent, p.MPMD = Parent(b[4]), b[5]&flagMPMD != 0
	if p.Command, b, err = parseText(b[6:], maxCommand); err == nil {
		p.Dir, b, err = parseText(b, maxDir)
	}
	if err != nil {
		return Program{}, nil, err
	}
	return p, b, nil
}

func parseText(b []byte, limit int) (text string, rest []byte, err error) {
	if len(b) < 2 {
		return "", nil, errShort
	}
	n := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if n > limit || n > len(b) {
		return "", nil, errShort
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(string(b[:n]), "?"))
	return text, b[n:], nil
}
