// Package program is about what the ranks of a job run. Processes that have a
// launcher's variables by accident, such as those of a script that a farm
// engine starts several times in one task, must not become one world. So ranks
// tell each other what they run, and two that run different programs go
// together only where that is meant.
package program

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/environ"
)

// Program is what one rank runs.
type Program struct {
	Build   [16]byte // stands for the executable's contents, not for its path: copies are the same
	Args    [16]byte // stands for its arguments
	Command string   // for messages: name and arguments, cut
	Dir     string   // in which it was started, cut; "" if that says nothing
	App     int      // number of the application, as the launcher counts them
	Parent  Parent
	MPMD    bool // the user says that different programs are one job
}

// maxCommand and maxDir are the longest Command and Dir, in bytes.
const (
	maxCommand = 400
	maxDir     = 1000
)

// This is the program of this process, of which the launcher says that it is
// of application app.
func This(env environ.Env, app int) Program {
	return Program{
		Build:   digest(buildID()),
		Args:    digest(strings.Join(os.Args[1:], "\x00")),
		Command: commandLine(os.Args),
		Dir:     thisDir(),
		App:     app,
		Parent:  thisParent(),
		MPMD:    environ.IsOn(env, "AME_MPMD"),
	}
}

// lastResort is where Slurm starts a task whose directory is not on its node.
const lastResort = "/tmp"

// thisDir is by the name that the launcher and the shells after it have passed on.
func thisDir() string {
	dir, err := os.Getwd()
	if err != nil || dir == lastResort {
		return ""
	}
	return dir[:min(len(dir), maxDir)]
}

func digest(text string) (d [16]byte) {
	sum := sha256.Sum256([]byte(text))
	copy(d[:], sum[:])
	return d
}

// commandLine is how a person would type it.
func commandLine(args []string) string {
	var b strings.Builder
	for i, arg := range args {
		if i == 0 {
			arg = filepath.Base(arg)
		} else {
			b.WriteByte(' ')
		}
		if arg == "" || strings.ContainsFunc(arg, func(r rune) bool { return !strconv.IsPrint(r) || strings.ContainsRune(" \"'\\$`*?&|;<>()", r) }) {
			arg = strconv.Quote(arg)
		}
		b.WriteString(arg)
		if b.Len() > maxCommand {
			return strings.ToValidUTF8(b.String()[:maxCommand-3], "") + "..."
		}
	}
	return b.String()
}

// Fit is whether two programs may be one job.
type Fit int

const (
	Same     Fit = iota // one program
	Meant               // different ones, and the launcher or the user says that it is meant
	Doubtful            // different ones, and who has started them cannot be seen: let through with a warning
	Foreign             // different ones behind a script: refused
)

// Fit says whether a rank that runs p and one that runs q may be one job.
func (p Program) Fit(q Program) Fit {
	switch {
	case p.Build == q.Build && p.Args == q.Args && !p.apart(q):
		return Same
	case p.MPMD && q.MPMD, p.App != q.App, p.Parent == Launcher && q.Parent == Launcher:
		return Meant
	case p.Parent == Unseen || q.Parent == Unseen:
		return Doubtful
	}
	return Foreign
}

// apart says whether p and q were started in different directories. What the
// launcher starts itself is in one directory, or where the user has said. A
// script that goes to a directory of its own for each rank mostly starts a program
// for each, whose arguments mean something else in each directory.
func (p Program) apart(q Program) bool {
	return p.Dir != "" && q.Dir != "" && p.Dir != q.Dir
}

// Difference says in words for the user how the program p of rank differs from
// q of another rank, and what to do, for the fits Doubtful and Foreign.
func (p Program) Difference(rank int, q Program, other int) string {
	text := fmt.Sprintf("rank %d runs %s and rank %d runs %s", rank, p.describe(q), other, q.describe(p))
	const remedies = "if they are one job, set AME_MPMD=1 for all; if each is on its own, AME_BOOTSTRAP=single"
	if p.Fit(q) == Foreign {
		return text + ", and a script is between them and the launcher: write exec before the program in the script; " + remedies
	}
	return text + ", and it cannot be seen from here whether the launcher has started them: " + remedies
}

// describe is the command line of p; builds that differ are told apart where
// command lines do not.
func (p Program) describe(q Program) string {
	if p.Command == q.Command && p.Build == q.Build && p.apart(q) {
		return p.Command + " in " + p.Dir
	}
	if p.Command == q.Command && p.Build != q.Build {
		return fmt.Sprintf("%s (build %x)", p.Command, p.Build[:4])
	}
	return p.Command
}
