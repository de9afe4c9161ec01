package pmix

import (
	"errors"
	"fmt"
)

var (
	errTruncated = errors.New("message ends within an item")
	// errUnknownType stops the unpacking: the value's length is not known,
	// so nothing after it can be found.
	errUnknownType = errors.New("value of an unknown type")
)

// maxDepth bounds data arrays within data arrays; two levels were seen.
const maxDepth = 8

// unpacker takes packed items from a slice. The first error sticks and every
// later item is zero, so that callers check err once.
type unpacker struct {
	codec
	data []byte
	err  error
}

func (u *unpacker) fail(err error) {
	if u.err == nil {
		u.err = err
	}
	u.data = nil
}

// more says whether another item follows.
func (u *unpacker) more() bool { return u.err == nil && len(u.data) > 0 }

// bytes takes n raw bytes; they alias the payload.
func (u *unpacker) bytes(n int) []byte {
	if n > len(u.data) {
		u.fail(errTruncated)
		return nil
	}
	b := u.data[:n]
	u.data = u.data[n:]
	return b
}

func (u *unpacker) byte() byte {
	if b := u.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// prefix takes the start of an item that must hold exactly one value of type t.
func (u *unpacker) prefix(t dataType) {
	if u.described {
		if got := dataType(u.uint(2)); got != typeInt32 && u.err == nil {
			u.fail(fmt.Errorf("item does not start with a count: type %d", got))
		}
	}
	if count := u.int(4); count != 1 && u.err == nil {
		u.fail(fmt.Errorf("%d values of type %d where one is expected", count, t))
	}
	if u.described {
		if got := dataType(u.uint(2)); got != t && u.err == nil {
			u.fail(fmt.Errorf("item of type %d where type %d is expected", got, t))
		}
	}
}

// size takes a SIZE as a number; it need not be a length.
func (u *unpacker) size() uint64 {
	if !u.fixed {
		return u.uint(8)
	}
	switch t := u.uint(2); t {
	case 13, 14, 15: // UINT16, UINT32, UINT64
		return u.uint(2 << (t - 13))
	default:
		u.fail(fmt.Errorf("size_t of type %d", t))
		return 0
	}
}

// length takes a SIZE that counts things in the rest of the payload, each of
// at least one byte. It is checked before anything is allocated for them.
func (u *unpacker) length() int {
	n := u.size()
	if n > uint64(len(u.data)) {
		u.fail(errTruncated)
		return 0
	}
	return int(n)
}

// blob takes a length and as many bytes, aliasing the payload.
func (u *unpacker) blob() []byte { return u.bytes(u.length()) }

// string takes a STRING. NULL, which has length 0, becomes "".
func (u *unpacker) string() string {
	n := u.int(4)
	if n == 0 || u.err != nil {
		return ""
	}
	if n < 0 || n > int64(len(u.data)) {
		u.fail(errTruncated)
		return ""
	}
	b := u.bytes(int(n))
	if b[n-1] != 0 {
		u.fail(errors.New("string without a NUL at its end"))
		return ""
	}
	return string(b[:n-1])
}

func (u *unpacker) proc() (namespace string, rank uint32) {
	namespace = u.string()
	return namespace, uint32(u.uint(4))
}

// value is what a key stands for. Which field is set depends on the type.
type value struct {
	typ  dataType
	num  uint64 // unsigned integers, booleans, ranks
	text string // STRING
	data []byte // BYTE_OBJECT, aliasing the payload
	list []kval // DATA_ARRAY of INFO
}

// kval is a KVAL or an INFO: a key and what it stands for.
type kval struct {
	key string
	value
}

// kval takes one KVAL without its prefix.
func (u *unpacker) kval() kval {
	k := kval{key: u.string()}
	k.value = u.value(dataType(u.uint(2)), 0)
	return k
}

// info takes one INFO without its prefix.
func (u *unpacker) info(depth int) kval {
	k := kval{key: u.string()}
	u.uint(4) // directives
	k.value = u.value(dataType(u.uint(2)), depth)
	return k
}

// value takes one value of type t. The types are those of PMIx 3 to 7 whose
// layout is the same in all of them.
func (u *unpacker) value(t dataType, depth int) value {
	v := value{typ: t}
	switch t {
	case 1, 2, 7, 12: // BOOL, BYTE, INT8, UINT8
		v.num = uint64(u.byte())
	case 30, 31, 32, 33, 34, 37, 43, 50, 51: // PERSIST .. COMMAND, PROC_STATE, ALLOC_DIRECTIVE, JOB_STATE, LINK_STATE
		v.num = uint64(u.byte())
	case typeString, 16, 17, 60: // FLOAT and DOUBLE are printed; PROC_NSPACE
		v.text = u.string()
	case typeSize:
		v.num = u.size()
	case 5, 6, 11: // PID, INT, UINT name their type in the fixed dialect
		if u.fixed {
			u.uint(2)
		}
		v.num = u.uint(4)
	case 8, 13, 36, 45, 58: // INT16, UINT16, DATA_TYPE, IOF_CHANNEL, LOCTYPE
		v.num = u.uint(2)
	case 9, typeUint32, typeStatus, 35, typeProcRank: // INT32, .., INFO_DIRECTIVES
		v.num = u.uint(4)
	case 10, 15, 19, 57: // INT64, UINT64, TIME, DEVTYPE
		v.num = u.uint(8)
	case 18: // TIMEVAL
		u.uint(8)
		u.uint(8)
	case typeProc:
		u.proc()
	case typeBuffer:
		u.byte()
		v.data = u.blob()
	case typeByteObject, 42, 59: // COMPRESSED_STRING, COMPRESSED_BYTE_OBJECT
		v.data = u.blob()
	case typeDataArray:
		v.list = u.array(depth)
	default:
		u.fail(fmt.Errorf("%w: %d", errUnknownType, t))
	}
	return v
}

// array takes a DATA_ARRAY and returns its elements if they are INFO.
func (u *unpacker) array(depth int) []kval {
	t := dataType(u.uint(2))
	n := u.length()
	if depth == maxDepth {
		u.fail(fmt.Errorf("data arrays nested deeper than %d", maxDepth))
	}
	var list []kval
	for range n {
		if u.err != nil {
			return nil
		}
		if t == typeInfo {
			list = append(list, u.info(depth+1))
		} else {
			u.value(t, depth+1)
		}
	}
	return list
}
