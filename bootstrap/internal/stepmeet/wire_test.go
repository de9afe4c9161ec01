package stepmeet

import (
	"strings"
	"testing"
)

func FuzzWire(f *testing.F) {
	hello := rankHello{version: 1, rank: 1, size: 2}
	answer := rootAnswer{verdict: verdictGoOn, proof: proofMunge, text: "n1"}
	for _, seed := range [][]byte{hello.appendTo(nil), answer.appendTo(nil)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= helloSize {
			if h, err := parseHello([helloSize]byte(b)); err == nil {
				if again, _ := parseHello([helloSize]byte(h.appendTo(nil))); again != h {
					t.Fatalf("%v becomes %v", h, again)
				}
			}
		}
		if a, err := readAnswer(strings.NewReader(string(b))); err == nil {
			if again, err := readAnswer(strings.NewReader(string(a.appendTo(nil)))); err != nil || again.text != a.text {
				t.Fatalf("%v becomes %v: %v", a, again, err)
			}
		}
	})
}
