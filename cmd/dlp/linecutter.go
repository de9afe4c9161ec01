package main

import "bytes"

// maxLine is how long a line may be to be kept until its end, in bytes.
const maxLine = 64 << 10

// lineCutter makes whole lines of what comes.
type lineCutter struct{ begun []byte }

// add returns the lines that are complete now, in memory of their own. A line
// that is too long is cut.
func (c *lineCutter) add(data []byte) []byte {
	end := bytes.LastIndexByte(data, '\n') + 1
	if end == 0 && len(c.begun)+len(data) <= maxLine {
		c.begun = append(c.begun, data...)
		return nil
	}
	if end == 0 {
		end = len(data)
	}
	lines := append(c.begun, data[:end]...)
	c.begun = append([]byte(nil), data[end:]...)
	return lines
}

// rest returns a last line that has no end, with one.
func (c *lineCutter) rest() []byte {
	if len(c.begun) == 0 {
		return nil
	}
	return append(c.begun, '\n')
}
