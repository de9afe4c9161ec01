package ame

import (
	"encoding/binary"
	"fmt"
)

// appendRanks appends the wire form of ranks of the job, 4 bytes each.
func appendRanks(b []byte, ranks []int) []byte {
	for _, rank := range ranks {
		b = binary.BigEndian.AppendUint32(b, uint32(rank))
	}
	return b
}

// parseRanks is the opposite: different ranks of a job of that size.
func parseRanks(b []byte, size int) ([]int, error) {
	if len(b)%4 != 0 || len(b)/4 > size {
		return nil, fmt.Errorf("%d bytes of ranks", len(b))
	}
	ranks := make([]int, 0, len(b)/4)
	seen := make(map[int]bool, len(b)/4)
	for ; len(b) > 0; b = b[4:] {
		rank := int(binary.BigEndian.Uint32(b))
		if rank >= size || seen[rank] {
			return nil, fmt.Errorf("rank %d of %d, or twice", rank, size)
		}
		seen[rank] = true
		ranks = append(ranks, rank)
	}
	return ranks, nil
}
