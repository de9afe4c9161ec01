package ame

import (
	"encoding/binary"
	"fmt"
)

// appendAddresses appends the wire form: number, and of each its length and text.
func appendAddresses(b []byte, addresses []string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(addresses)))
	for _, a := range addresses {
		b = binary.BigEndian.AppendUint16(b, uint16(len(a)))
		b = append(b, a...)
	}
	return b
}

// maxAddresses bounds at how many addresses a rank may say that it takes links.
const maxAddresses = 256

func parseAddresses(b []byte) ([]string, error) {
	if len(b) < 2 || binary.BigEndian.Uint16(b) > maxAddresses {
		return nil, fmt.Errorf("addresses frame of %d bytes", len(b))
	}
	addresses := make([]string, binary.BigEndian.Uint16(b))
	b = b[2:]
	for i := range addresses {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return nil, fmt.Errorf("addresses frame cut short in address %d", i)
		}
		n := 2 + int(binary.BigEndian.Uint16(b))
		addresses[i], b = string(b[2:n]), b[n:]
	}
	return addresses, nil
}
