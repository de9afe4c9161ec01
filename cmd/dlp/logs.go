package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/command"
)

// joblog writes a line for each item, in the columns of GNU parallel's --joblog.
type joblog struct {
	file *os.File
	out  *bufio.Writer
}

func openJoblog(path string) (*joblog, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--joblog: %w", err)
	}
	j := &joblog{file, bufio.NewWriter(file)}
	fmt.Fprintln(j.out, "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand")
	return j, j.out.Flush()
}

// add writes the line of an item.
func (j *joblog) add(r *report, host, line string) error {
	if j == nil {
		return nil
	}
	status := r.Status
	if r.Signal != 0 {
		status = 0
	}
	fmt.Fprintf(j.out, "%d\t%s\t%13.3f\t%10.3f\t0\t%d\t%d\t%d\t%s\n", r.Index+1, host,
		float64(r.Started)/float64(time.Second), r.Took.Seconds(), r.Sizes[0], status, r.Signal, strings.ReplaceAll(line, "\n", `\n`))
	if err := j.out.Flush(); err != nil {
		return fmt.Errorf("--joblog: %w", err)
	}
	return nil
}

func (j *joblog) close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}

// failedList writes the items that have failed as a list that can be read again.
type failedList struct {
	file      *os.File
	end       string
	separator string
	newline   bool // an item has one, and cannot be read again as it was
}

func openFailed(o *options) (*failedList, error) {
	if o.failed == "" {
		return nil, nil
	}
	file, err := os.Create(o.failed)
	if err != nil {
		return nil, fmt.Errorf("--failed: %w", err)
	}
	f := &failedList{file: file, end: "\n", separator: o.source.Separator}
	if o.source.NUL {
		f.end = "\x00"
	}
	if f.separator == "" {
		f.separator = "\t" // of several :::, for --colsep
		if o.source.Pack > 1 {
			f.separator = f.end
		}
	}
	return f, nil
}

func (f *failedList) add(t task) error {
	if f == nil {
		return nil
	}
	line := strings.Join(t.Columns, f.separator)
	f.newline = f.newline || f.end == "\n" && f.separator != "\n" && strings.Contains(line, "\n")
	if _, err := f.file.WriteString(line + f.end); err != nil {
		return fmt.Errorf("--failed: %w", err)
	}
	return nil
}

func (f *failedList) close() error {
	if f == nil {
		return nil
	}
	return f.file.Close()
}

// line is the command of an item, as it could be typed.
func (o *options) line(t task, slot int) string {
	args, err := o.template.Args(command.Values{Item: t.item(), Number: t.Index + 1, Slot: slot + 1})
	if err != nil {
		return err.Error()
	}
	return command.Line(args)
}
