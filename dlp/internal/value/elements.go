package value

import (
	"reflect"
	"unsafe"
)

// Number is what has a fixed size and travels raw in slices.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 |
		~float32 | ~float64 | ~complex64 | ~complex128
}

// View returns the memory of s as a payload, which is read and written in the
// byte order of the wire. Until Restore the numbers in s are of no use; where
// the machine has that order, both cost nothing.
func View[T Number](s []T) Payload {
	format, _ := rawFormat[[]T]()
	Restore(s)
	return Payload{Format: format, Body: bytesOf(s)}
}

// Restore makes the memory of a View numbers again.
func Restore[T Number](s []T) {
	if width := numberWidth(reflect.TypeFor[T]()); !littleEndian && width > 1 {
		swap(bytesOf(s), width)
	}
}

func bytesOf[T Number](s []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(*new(T))))
}

// Combine makes of a function of two slices of one length, whose results go to the
// first, one of the Views of both.
func Combine[T Number](sweep func(a, b []T)) func(low, high []byte) {
	return func(low, high []byte) {
		a, b := numbersOf[T](low), numbersOf[T](high)
		Restore(a)
		Restore(b)
		sweep(a, b)
		Restore(a)
		Restore(b)
		copy(low, bytesOf(a)) // onto itself, unless numbersOf has copied
	}
}

// numbersOf is the opposite of bytesOf. What is not aligned is copied.
func numbersOf[T Number](b []byte) []T {
	n := len(b) / int(unsafe.Sizeof(*new(T)))
	start := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(start)%unsafe.Alignof(*new(T)) == 0 {
		return unsafe.Slice((*T)(start), n)
	}
	s := make([]T, n)
	copy(bytesOf(s), b)
	return s
}
