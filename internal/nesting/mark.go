package nesting

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/environ"
	"github.com/dlp-mpi/dlp-go/internal/process"
)

// Mark is the variable that a rank sets for the processes that it starts. They
// inherit the variables of the rank's launcher and are no ranks: without the
// mark, those of different ranks would join each other.
//
// Its value is PID:START:DIGEST: the rank's process, its start time, and what
// Fingerprint says of the launcher variables by which it has become a rank.
const Mark = "AME_RANK_PROCESS"

// MarkOf is the mark that the rank in process self sets.
func MarkOf(env environ.Env, self process.Info) string {
	return fmt.Sprintf("%d:%d:%s", self.PID, self.Start, Fingerprint(env))
}

// closed is a fourth field of the mark of a rank that has left its job.
const closed = "closed"

// Closed is what a mark becomes when the rank leaves its job. What it starts
// from then on may be the same rank of another program of the task, as the next
// line of a script is.
func Closed(mark string) string { return mark + ":" + closed }

// ChildOfFormer returns the process that has been a rank, and has started the
// process self after it had left its job.
func ChildOfFormer(env environ.Env, self process.Info) (pid int, ok bool) {
	mark, ok := strings.CutSuffix(environ.Value(env, Mark), ":"+closed)
	if !ok {
		return 0, false
	}
	return childOf(env, mark, self)
}

// Fingerprint stands for the launcher variables of one rank, and for the method
// that the user has named. A launcher that a rank starts gives its own ranks
// other ones, as far as variables tell.
func Fingerprint(env environ.Env) string {
	names := []string{"AME_BOOTSTRAP"}
	for _, l := range launchers {
		names = append(names, l.names...)
	}
	hash := sha256.New()
	for _, name := range names {
		if value, ok := environ.Lookup(env, name); ok {
			fmt.Fprintf(hash, "%s=%s\x00", name, value)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

// ChildOf returns the process of the rank whose mark says that the process self
// is none itself: one that has the same launcher variables as the rank, and is
// not the rank. The program that a rank has become by execve(2) is the rank.
func ChildOf(env environ.Env, self process.Info) (pid int, ok bool) {
	return childOf(env, environ.Value(env, Mark), self)
}

func childOf(env environ.Env, mark string, self process.Info) (pid int, ok bool) {
	fields := strings.Split(mark, ":")
	if len(fields) != 3 || fields[2] != Fingerprint(env) {
		return 0, false
	}
	pid, err := strconv.Atoi(fields[0])
	start, err2 := strconv.ParseUint(fields[1], 10, 64)
	if err != nil || err2 != nil {
		return 0, false
	}
	return pid, pid != self.PID || start != self.Start
}
