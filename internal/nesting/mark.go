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
	fields := strings.Split(environ.Value(env, Mark), ":")
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
