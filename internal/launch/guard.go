package launch

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// GuardName is the name of the process of a Guard. It does not contain that of a
// command, so that pkill(1) and killall(1) on that leave it to clean up.
const GuardName = "item-guard"

// MarkVariable is set for all processes that a Guard answers for, and inherited
// by what they start: the marks of the Guards around them, with blanks between.
const MarkVariable = "DLP_GUARDED_BY"

// Guard ends what this process has started: when it is told to, and when this
// process is gone, however it went. For the latter it is a second process of
// the same program, which must call GuardMain if its name is GuardName.
//
// It knows the process groups that were announced to it, and finds all other
// processes by a mark in their environment (on Linux). Who leaves its group and
// clears its environment gets away.
type Guard struct {
	mark    string
	process *os.Process
	pipe    *os.File // its end says that this process is gone
	groups  *os.File // the process group of each slot, 8 bytes
}

// Descriptors of the guard's process.
const (
	guardPipe   = 3
	guardGroups = 4
)

// StartGuard starts the second process. Spool is a directory for a file without
// a name.
func StartGuard(spool string) (*Guard, error) {
	path, err := SelfPath()
	if err != nil {
		return nil, err
	}
	groups, err := Unnamed(spool)
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		groups.Close()
		return nil, fmt.Errorf("guard: %w", err)
	}
	defer theirs.Close()
	random := make([]byte, 8)
	rand.Read(random)
	g := &Guard{mark: hex.EncodeToString(random), pipe: ours, groups: groups}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err == nil {
		defer null.Close()
		// Without the variables of this process, so that the guard of a process
		// around this one leaves it to do its work.
		g.process, err = os.StartProcess(path, []string{GuardName, g.mark}, &os.ProcAttr{
			Dir: "/", Env: []string{}, Files: []*os.File{null, null, null, theirs, groups}, Sys: &syscall.SysProcAttr{Setsid: true},
		})
	}
	if err != nil {
		ours.Close()
		groups.Close()
		return nil, fmt.Errorf("guard: %w", err)
	}
	return g, nil
}

// Mark is the variable to set for a process, NAME=VALUE. Number tells it from
// others for Marked.
func (g *Guard) Mark(number int) string {
	return fmt.Sprintf("%s=%s", MarkVariable, strings.TrimSpace(fmt.Sprintf("%s %s %s", os.Getenv(MarkVariable), g.mark, g.numbered(number))))
}

func (g *Guard) numbered(number int) string { return fmt.Sprintf("%s-%d", g.mark, number) }

// Marked calls found for the living processes that have the mark of that number,
// by themselves or from those that have started them.
func (g *Guard) Marked(number int, found func(pid int)) { marked(g.numbered(number), found) }

// Hold says which process group is the one of a slot now; 0: none.
func (g *Guard) Hold(slot, group int) {
	var number [8]byte
	binary.NativeEndian.PutUint64(number[:], uint64(group))
	g.groups.WriteAt(number[:], int64(slot)*8) // in memory; if it fails, the mark is left
}

// End kills what is left and ends the second process.
func (g *Guard) End() {
	sweepGuarded(g.mark, g.groups)
	g.pipe.Write([]byte{0}) // else it does the same once more
	g.pipe.Close()
	g.process.Wait()
	g.groups.Close()
}

// GuardMain is the second process. It returns the exit status.
func GuardMain(args []string) int {
	Rename(GuardName)
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	pipe, groups := os.NewFile(guardPipe, "pipe"), os.NewFile(guardGroups, "groups")
	if len(args) != 2 || pipe == nil || groups == nil {
		return StatusUsage
	}
	if n, _ := pipe.Read(make([]byte, 1)); n == 0 {
		sweepGuarded(args[1], groups)
	}
	return 0
}

const (
	guardPause = 5 * time.Millisecond // between two looks for what is left
	guardLimit = 10 * time.Second     // for processes to die of SIGKILL
)

// sweepGuarded kills groups and marked processes until there are none.
func sweepGuarded(mark string, groups *os.File) {
	for begin := time.Now(); time.Since(begin) < guardLimit; time.Sleep(guardPause) {
		var number [8]byte
		for slot := int64(0); ; slot++ {
			if n, _ := groups.ReadAt(number[:], slot*8); n < len(number) {
				break
			}
			if group := int(binary.NativeEndian.Uint64(number[:])); group > 1 {
				syscall.Kill(-group, syscall.SIGKILL)
			}
		}
		left := 0
		marked(mark, func(pid int) {
			left++
			syscall.Kill(pid, syscall.SIGKILL)
		})
		if left == 0 {
			return
		}
	}
}
