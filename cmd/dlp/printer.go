package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
)

// content is what a process has written to a stream.
type content interface {
	io.ReaderAt
	Size() int64
}

// printer writes to stdout and stderr, and keeps a line below what is printed if
// stderr is a terminal.
type printer struct {
	mu   sync.Mutex
	to   [2]io.Writer
	bar  string
	term bool  // there may be a bar
	cut  bool  // what was printed last on stderr does not end its line
	err  error // the first one of a write; what comes later is dropped
}

func newPrinter() *printer { return &printer{to: [2]io.Writer{os.Stdout, os.Stderr}} }

// label is what stands before each line of an item's output with --tag.
func (o *options) label(t task) string {
	if !o.tag {
		return ""
	}
	if o.source.Block > 0 {
		return "block " + strconv.Itoa(t.Index+1) + "\t"
	}
	return t.item().Text() + "\t"
}

// item prints the output of one item as one piece.
func (p *printer) item(label string, streams [2]content) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hide()
	defer p.show()
	for i, stream := range streams {
		if stream == nil || stream.Size() == 0 || p.err != nil {
			continue
		}
		w := p.to[i]
		if label != "" {
			w = &labelled{to: w, label: label, begin: true}
		}
		p.keep(copyTo(w, stream))
		if i == 1 {
			p.cut = !endsLine(stream)
		}
	}
	return p.err
}

// endsLine says whether the last byte of an output ends a line.
func endsLine(stream content) bool {
	var last [1]byte
	stream.ReadAt(last[:], stream.Size()-1) // as it has just been read
	return last[0] == '\n'
}

// copyTo writes all of an output.
func copyTo(w io.Writer, stream content) error {
	if whole, ok := stream.(*bytes.Reader); ok {
		_, err := whole.WriteTo(w)
		return err
	}
	buffer := make([]byte, min(pieceSize, stream.Size()))
	_, err := io.CopyBuffer(plainWriter{w}, io.NewSectionReader(stream, 0, stream.Size()), buffer)
	return err
}

// plainWriter hides ReadFrom, which would copy without the buffer.
type plainWriter struct{ io.Writer }

// lines prints whole lines.
func (p *printer) lines(label string, stream int, lines []byte) {
	var streams [2]content
	streams[stream] = bytes.NewReader(lines)
	p.item(label, streams)
}

// say prints a line of dlp's own on stderr.
func (p *printer) say(format string, args ...any) {
	p.text(fmt.Sprintf("dlp map: "+format+"\n", args...))
}

// text prints whole lines on stderr.
func (p *printer) text(lines string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hide()
	defer p.show()
	if p.cut && lines != "" {
		lines = "\n" + lines
		p.cut = false
	}
	io.WriteString(p.to[1], lines)
}

// setBar changes the line below.
func (p *printer) setBar(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hide()
	p.bar = text
	p.show()
}

func (p *printer) hide() {
	if p.term && p.bar != "" {
		io.WriteString(p.to[1], "\r\x1b[K")
	}
}

func (p *printer) show() {
	if p.term && p.bar != "" {
		io.WriteString(p.to[1], p.bar)
	}
}

func (p *printer) keep(err error) {
	if p.err == nil && err != nil {
		p.err = fmt.Errorf("output: %w", err)
	}
}

// failure is the first error of a write.
func (p *printer) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// labelled puts a label before each line.
type labelled struct {
	to    io.Writer
	label string
	begin bool // of a line
}

func (l *labelled) Write(data []byte) (int, error) {
	var b bytes.Buffer
	for line := range bytes.Lines(data) {
		if l.begin {
			b.WriteString(l.label)
		}
		b.Write(line)
		l.begin = line[len(line)-1] == '\n'
	}
	if _, err := l.to.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(data), nil
}
