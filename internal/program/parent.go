package program

import (
	"os"
	"slices"

	"github.com/dlp-mpi/dlp-go/internal/process"
)

// Parent is who has started this process.
type Parent uint8

const (
	Unseen   Parent = iota // not to be seen: /proc hides it, or a container has its own processes
	Launcher               // a launcher itself
	Other                  // a shell, a script, anything between the launcher and this process
)

// launchers are the processes whose children are ranks, by the names of their
// program files, of which the kernel keeps 15 bytes. The last ones start the
// ranks of their own node themselves.
var launchers = []string{
	"slurmstepd", "hydra_pmi_proxy", "pmi_proxy", "orted", "prted", "ame-launcher", "flux-shell",
	"mpirun", "mpiexec", "orterun", "prterun", "mpirun.openmpi", "mpiexec.openmpi",
}

// initialNamespace is the pid namespace that a node has from its start
// (include/linux/proc_ns.h, PROC_PID_INIT_INO).
const initialNamespace = "pid:[4026531836]"

func thisParent() Parent {
	namespace, err := os.Readlink("/proc/self/ns/pid")
	self, err2 := process.Self()
	if err != nil || err2 != nil {
		return Unseen
	}
	return parentOf(self, process.Read, namespace == initialNamespace)
}

// parentOf goes up from self to the launcher. If it ends without one, in all
// the processes of the node, there is none; in those of a container the
// launcher may be outside.
func parentOf(self process.Info, read func(pid int) (process.Info, error), all bool) Parent {
	found := Launcher
	for at := self; at.Parent != 0; found = Other {
		next, err := read(at.Parent)
		if err != nil {
			return Unseen
		}
		if slices.Contains(launchers, next.Name) {
			return found
		}
		at = next
	}
	if all {
		return Other
	}
	return Unseen
}
