package timeline

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzRead reads whatever there is.
func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "file")
	s, err := Open(path, time.Now(), 0, twoRanks())
	if err != nil {
		f.Fatal(err)
	}
	s.Own(Done, 0, 1, 1, 1)
	s.Lost(1, []Span{{1, 2}}, "why")
	s.End(nil)
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, []byte{}, byte(0))
	f.Add([]byte(magic), []byte("\x01\x05\x01\x04\x03\x01\x02\x00\x00\x02\x00\x1f\x05\x00\x02\x00"), byte(kindChunk))
	f.Add([]byte(magic), []byte("\x01\x05\x01\x01\x01"), byte(kindLost))
	f.Fuzz(func(t *testing.T, b, body []byte, kind byte) {
		if _, err := Read(b); err != nil {
			return
		}
		// What has a checksum is as little to be trusted.
		head := twoRanks()
		framed := appendFrame([]byte(magic), kindLoop, id{1}, func(b []byte) []byte { return head.append(b, 0) })
		framed = appendFrame(framed, kind, id{1}, func(b []byte) []byte { return append(b, body...) })
		file, err := Read(framed)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range file.Loops {
			for _, r := range l.Records {
				if r.Start < 0 || r.Took < 0 || r.End() > l.Elapsed && r.State.IsItem() || int(r.Slot) >= max(1, l.Ranks[r.Rank].Slots) {
					t.Fatalf("%+v in a loop of %v with %+v", r, l.Elapsed, l.Ranks)
				}
			}
		}
	})
}
