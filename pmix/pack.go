package pmix

// dataType is a PMIx type code (pmix_common.h). Only those are named that
// this package packs or looks at; value lists how the others are unpacked.
type dataType uint16

const (
	typeBool       dataType = 1
	typeString     dataType = 3
	typeSize       dataType = 4
	typeInt32      dataType = 9
	typeUint32     dataType = 14
	typeStatus     dataType = 20
	typeProc       dataType = 22
	typeInfo       dataType = 24
	typeBuffer     dataType = 26
	typeByteObject dataType = 27
	typeKval       dataType = 28
	typeScope      dataType = 32
	typeCommand    dataType = 34
	typeDataArray  dataType = 39
	typeProcRank   dataType = 40
)

// appendPrefix starts an item of count values of type t. Only items of a
// payload or buffer have a prefix, not what is nested in them.
func (c codec) appendPrefix(b []byte, t dataType, count int) []byte {
	if !c.described {
		return c.appendInt(b, int64(count), 4)
	}
	b = c.appendUint(b, uint64(typeInt32), 2)
	b = c.appendInt(b, int64(count), 4)
	return c.appendUint(b, uint64(t), 2)
}

// appendLength packs a SIZE. The fixed dialect names the width that size_t
// has on the sender, as type UINT64.
func (c codec) appendLength(b []byte, n int) []byte {
	if c.fixed {
		b = c.appendUint(b, 15, 2)
	}
	return c.appendUint(b, uint64(n), 8)
}

// appendString packs a STRING; its length counts the NUL at its end.
func (c codec) appendString(b []byte, s string) []byte {
	b = c.appendInt(b, int64(len(s))+1, 4)
	b = append(b, s...)
	return append(b, 0)
}

func (c codec) appendProc(b []byte, namespace string, rank uint32) []byte {
	b = c.appendString(b, namespace)
	return c.appendUint(b, uint64(rank), 4)
}

// appendTrue packs the INFO that sets the boolean attribute key.
func (c codec) appendTrue(b []byte, key string) []byte {
	b = c.appendString(b, key)
	b = c.appendUint(b, 0, 4) // directives: none
	b = c.appendUint(b, uint64(typeBool), 2)
	return append(b, 1)
}

// pair is a key and its string, as put and committed.
type pair struct{ key, value string }

// appendPairs packs each pair as one KVAL item.
func (c codec) appendPairs(b []byte, pairs []pair) []byte {
	for _, p := range pairs {
		b = c.appendPrefix(b, typeKval, 1)
		b = c.appendString(b, p.key)
		b = c.appendUint(b, uint64(typeString), 2)
		b = c.appendString(b, p.value)
	}
	return b
}
