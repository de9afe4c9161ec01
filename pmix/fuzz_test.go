package pmix

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// addRecorded seeds a fuzz target with the payloads of recorded sessions.
func addRecorded(f *testing.F, fromClient bool, add func(payload []byte, fixed, described bool)) {
	files, err := filepath.Glob("testdata/*_pmix-*.txt")
	require.NoError(f, err)
	for _, name := range files {
		frames := readSession(f, strings.TrimSuffix(filepath.Base(name), ".txt"))
		hand, _, _, _, err := parseHello(frames[0].bytes)
		require.NoError(f, err)
		for _, r := range frames[3:] {
			if r.fromClient == fromClient {
				add(r.bytes[headerSize:], hand.codec.fixed, hand.codec.described)
			}
		}
	}
}

func FuzzParseGet(f *testing.F) {
	addRecorded(f, false, func(b []byte, fixed, described bool) { f.Add(b, wildcard, fixed, described) })
	f.Fuzz(func(t *testing.T, b []byte, rank uint32, fixed, described bool) {
		known, err := codec{fixed, described}.parseGet(b, rank)
		if err == nil {
			readJob(known, 0, "vm")
		}
		if len(known) > len(b) {
			t.Fatalf("%d keys in %d bytes", len(known), len(b))
		}
	})
}

func FuzzParseStatus(f *testing.F) {
	addRecorded(f, false, func(b []byte, fixed, described bool) { f.Add(b, fixed, described) })
	f.Fuzz(func(t *testing.T, b []byte, fixed, described bool) {
		if err := (codec{fixed, described}).parseStatus(b); err != nil {
			_ = err.Error()
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	f.Add(header{1, 101, 2}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != headerSize {
			return
		}
		if h, err := parseHeader([headerSize]byte(b)); err == nil && h.length > maxPayload {
			t.Fatal(h)
		}
	})
}

// A value packed again is the value; the unpacker reads no more than it has.
func FuzzIntegers(f *testing.F) {
	f.Add([]byte{0xfe, 0xff, 0xff, 0xff, 0x0f}, false)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false)
	f.Add([]byte{0xff, 0xff, 0xff, 0xd2}, true)
	f.Fuzz(func(t *testing.T, b []byte, fixed bool) {
		c := codec{fixed: fixed}
		for _, size := range []int{2, 4, 8} {
			u := unpacker{codec: c, data: b}
			if v := u.uint(size); u.err == nil {
				again := unpacker{codec: c, data: c.appendUint(nil, v, size)}
				if got := again.uint(size); got != v || again.err != nil || len(again.data) > 0 {
					t.Fatalf("%d became %d: %v", v, got, again.err)
				}
			}
			u = unpacker{codec: c, data: b}
			if v := u.int(size); u.err == nil {
				again := unpacker{codec: c, data: c.appendInt(nil, v, size)}
				if got := again.int(size); got != v || again.err != nil || len(again.data) > 0 {
					t.Fatalf("%d became %d: %v", v, got, again.err)
				}
			}
		}
	})
}

func FuzzParseURI(f *testing.F) {
	f.Add("slurm.pmix.7.0.0;tcp4://127.0.0.1:40843")
	f.Add("pmix;tcp6://[::1]:40843")
	f.Fuzz(func(t *testing.T, uri string) {
		if a, err := parseURI(uri); err == nil && (!a.IsValid() || a.Port() == 0) {
			t.Fatal(a)
		}
	})
}
