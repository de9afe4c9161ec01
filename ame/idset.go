package ame

import "slices"

// idSet is a set of numbers that are mostly given out and added in ascending
// order, kept as ranges: it is as large as the number of gaps in it.
type idSet struct {
	ranges []idRange // ascending, with a gap between each two
}

// idRange is the numbers first to last.
type idRange struct{ first, last uint32 }

// find returns the index of the first range that ends at id or later.
func (s *idSet) find(id uint32) int {
	i, _ := slices.BinarySearchFunc(s.ranges, id, func(r idRange, id uint32) int {
		switch {
		case r.last < id:
			return -1
		case r.last > id:
			return 1
		}
		return 0
	})
	return i
}

// has says whether id is in the set; a nil set is empty.
func (s *idSet) has(id uint32) bool {
	if s == nil {
		return false
	}
	i := s.find(id)
	return i < len(s.ranges) && s.ranges[i].first <= id
}

func (s *idSet) add(id uint32) {
	if s.has(id) {
		return
	}
	i := s.find(id) // of the range behind id
	before := i > 0 && s.ranges[i-1].last+1 == id
	behind := i < len(s.ranges) && s.ranges[i].first == id+1
	switch {
	case before && behind:
		s.ranges[i-1].last = s.ranges[i].last
		s.ranges = slices.Delete(s.ranges, i, i+1)
	case before:
		s.ranges[i-1].last = id
	case behind:
		s.ranges[i].first = id
	default:
		s.ranges = slices.Insert(s.ranges, i, idRange{id, id})
	}
}
