package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// pester connects to the ports of a process on which it listens and says
// something that is not meant for it.
func pester(pid int, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	for _, port := range listening(pid) {
		for range 1 + random.IntN(20) {
			conn, err := net.DialTimeout("tcp", net.JoinHostPort("localhost", strconv.Itoa(port)), time.Second)
			if err != nil {
				continue
			}
			junk := make([]byte, random.IntN(300))
			for i := range junk {
				junk[i] = byte(random.Uint32())
			}
			if random.IntN(2) == 0 {
				junk = append([]byte("dlp/ame\x00\x02\x02"), junk...)
			}
			conn.SetDeadline(time.Now().Add(time.Second))
			// It may close before it has read all.
			_, _ = conn.Write(junk)
			conn.Close()
		}
	}
}

// listening returns the TCP ports on which a process listens, by what proc(5)
// says of it; none where there is no such thing.
func listening(pid int) (ports []int) {
	sockets := map[string]bool{} // inodes
	descriptors, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, path := range descriptors {
		if target, err := os.Readlink(path); err == nil {
			sockets[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")] = true
		}
	}
	for _, name := range []string{"tcp", "tcp6"} {
		list, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, name))
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(list); lines.Scan(); {
			const local, state, inode, listens = 1, 3, 9, "0A"
			fields := strings.Fields(lines.Text())
			if len(fields) <= inode || fields[state] != listens || !sockets[fields[inode]] {
				continue
			}
			_, hex, _ := strings.Cut(fields[local], ":")
			if port, err := strconv.ParseUint(hex, 16, 16); err == nil {
				ports = append(ports, int(port))
			}
		}
		list.Close()
	}
	return ports
}
