// Plain is the limit that the benchmark compares with: what the same bytes cost
// without any library. "plain MEASURE..." prints a line per measure, as
// bench/ours does:
//
//	pingpong   a round trip of 8 bytes over a TCP connection of this machine,
//	           between two processes
//	memcpy     a copy of 64 MiB
//
// "plain lines N" takes as long as N lines that go, one by one, through as many
// processes of cat as there are processors.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"slices"
	"time"
)

const rows = 9

func main() {
	for _, name := range os.Args[1:] {
		var err error
		switch name {
		case "pingpong":
			err = pingpong()
		case "memcpy":
			memcpy()
		case "echo":
			err = echo(os.Args[2])
		case "lines":
			err = lines(os.Args[2])
		default:
			err = fmt.Errorf("no measure %q", name)
		}
		if err != nil {
			log.Fatal(err)
		}
		if name == "echo" || name == "lines" {
			return
		}
	}
}

// pingpong starts this program once more, as the other end.
func pingpong() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	peer := exec.Command(os.Args[0], "echo", listener.Addr().String())
	peer.Stderr = os.Stderr
	if err := peer.Start(); err != nil {
		return err
	}
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	const n = 2000
	message := make([]byte, 8)
	var times []float64
	for i := range rows + 1 {
		start := time.Now()
		for range n {
			if _, err := conn.Write(message); err != nil {
				return err
			}
			if _, err := io.ReadFull(conn, message); err != nil {
				return err
			}
		}
		if i > 0 { // the first one warms up
			times = append(times, time.Since(start).Seconds()/n)
		}
	}
	report("pingpong", times)
	conn.Close()
	return peer.Wait()
}

// echo is the other end: it sends back what comes.
func echo(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	message := make([]byte, 8)
	for {
		if _, err := io.ReadFull(conn, message); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if _, err := conn.Write(message); err != nil {
			return err
		}
	}
}

func memcpy() {
	from, to := make([]byte, 64<<20), make([]byte, 64<<20)
	var times []float64
	for i := range rows + 1 {
		start := time.Now()
		copy(to, from)
		if i > 0 { // the first one warms up
			times = append(times, time.Since(start).Seconds())
		}
	}
	report("memcpy", times)
}

// report prints the median of seconds per operation.
func report(name string, seconds []float64) {
	slices.Sort(seconds)
	fmt.Printf("%s\t%.9f\n", name, seconds[len(seconds)/2])
}
