package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

// lines prints the numbers up to text as processes of cat return them.
func lines(text string) error {
	last, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	var next atomic.Int64
	var mu sync.Mutex // of stdout
	stdout := bufio.NewWriter(os.Stdout)
	errs := make([]error, runtime.NumCPU())
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = throughCat(func() (line string, more bool) {
				n := next.Add(1)
				return fmt.Sprintln(n), n <= last
			}, func(line string) {
				mu.Lock()
				defer mu.Unlock()
				stdout.WriteString(line)
			})
		})
	}
	wg.Wait()
	return errors.Join(append(errs, stdout.Flush())...)
}

// throughCat writes what next returns to a process of cat, and gives its answers
// to print.
func throughCat(next func() (line string, more bool), print func(line string)) error {
	cat := exec.Command("cat")
	in, err := cat.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cat.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cat.Start(); err != nil {
		return err
	}
	answers := bufio.NewReader(out)
	for line, more := next(); more; line, more = next() {
		if _, err := in.Write([]byte(line)); err != nil {
			return err
		}
		answer, err := answers.ReadString('\n')
		if err != nil {
			return err
		}
		print(answer)
	}
	in.Close()
	return cat.Wait()
}
