package timeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// openFile opens a file to append to.
func openFile(path string) (file *os.File, empty bool, err error) {
	file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("timeline: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err == nil && info.Size() > 0 {
		var head [len(magic)]byte
		if n, _ := file.ReadAt(head[:], 0); string(head[:n]) != magic[:n] {
			err = errors.New("the file is there and is no timeline: use another name")
		}
	}
	if err != nil {
		file.Close()
		return nil, false, fmt.Errorf("timeline %s: %w", path, err)
	}
	return file, info.Size() == 0, nil
}

// append appends what a Loop frame has.
func (h *Head) append(b []byte, entered time.Duration) []byte {
	b = binary.AppendVarint(b, h.Began.UnixNano())
	b = binary.AppendUvarint(b, uint64(max(0, entered)))
	for _, text := range []string{h.Kind, h.Label, h.Job} {
		b = appendText(b, text)
	}
	b = binary.AppendVarint(b, int64(h.Items))
	b = binary.AppendUvarint(b, uint64(len(h.Ranks)))
	for _, r := range h.Ranks {
		b = appendText(binary.AppendUvarint(b, uint64(max(0, r.Slots))), r.Host)
	}
	return b
}

// Note is what a program says of an item.
type Note struct {
	Index  int
	Failed bool
	Text   string
}

// AppendNotes appends notes about items of the last loop in a file.
func AppendNotes(path string, notes []Note) error {
	file, _, err := openFile(path)
	if err != nil {
		return err
	}
	_, err = file.Write(appendFrame(nil, kindNote, id{}, func(b []byte) []byte {
		for _, n := range notes {
			failed := byte(0)
			if n.Failed {
				failed = 1
			}
			b = appendText(append(binary.AppendUvarint(b, uint64(n.Index)), failed), n.Text)
		}
		return b
	}))
	return errors.Join(err, file.Close())
}
