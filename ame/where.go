package ame

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// callSite is from where in the user's program a collective was entered. It is
// cheap to take and is looked up only when it is to be told.
type callSite struct {
	name  string // what the layer above calls the collective; "": its kind
	count int    // of elements; 0: not told
	pcs   [12]uintptr
}

// here is the call site of the caller's caller.
func here(which Call) callSite {
	p := callSite{name: which.Name, count: which.Count}
	if p.pcs[0] = which.PC; which.PC == 0 {
		runtime.Callers(3, p.pcs[:])
	}
	return p
}

// text is what messages say of a collective that was entered here:
// "gather (report.go:41)".
func (p *callSite) text(c call) string {
	name := p.name
	if name == "" {
		name = c.op.String()
	}
	if p.count > 0 {
		name = fmt.Sprintf("%s of %d elements", name, p.count)
	}
	if line := p.line(); line != "" {
		name += " (" + line + ")"
	}
	return name
}

// module is the path of the packages whose functions are not the user's.
const module = "github.com/dlp-mpi/dlp-go/"

// line is the source line of the innermost function that is the user's, "" if
// there is none.
func (p *callSite) line() string {
	n := 0
	for n < len(p.pcs) && p.pcs[n] != 0 {
		n++
	}
	frames := runtime.CallersFrames(p.pcs[:n])
	for {
		f, more := frames.Next()
		if f.File != "" && !ours(f) {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		if !more {
			return ""
		}
	}
}

// ours says whether f is of this package or of the layers above it, and no test.
func ours(f runtime.Frame) bool {
	if strings.HasSuffix(f.File, "_test.go") {
		return false
	}
	rest, ok := strings.CutPrefix(f.Function, module)
	return ok && (strings.HasPrefix(rest, "ame.") || strings.HasPrefix(rest, "dlp.") || strings.HasPrefix(rest, "dlp/")) ||
		strings.HasPrefix(f.Function, "iter.") || strings.HasPrefix(f.Function, "sync.") || strings.HasPrefix(f.Function, "runtime.")
}
