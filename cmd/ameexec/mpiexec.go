package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// stranger is an option of mpiexec or srun that ameexec does not have.
type stranger struct {
	values  int    // arguments that it takes
	ignored bool   // a job is the same without it
	say     string // why, or what to do instead
}

const (
	oneMachine  = "ameexec starts ranks on this machine only; use srun or mpiexec for several"
	nothingToDo = "ignored, all ranks are on this machine"
	sayRanks    = "say with -n how many ranks to start"
	sayOutput   = "--output-dir DIR gives each rank files of its own"
	ofSrun      = "this is an option of srun"
)

// strangers are by their name without dashes.
var strangers = map[string]stranger{
	"f": {1, false, oneMachine}, "hostfile": {1, false, oneMachine}, "machinefile": {1, false, oneMachine},
	"machine": {1, false, oneMachine}, "configfile": {1, false, "write its lines on the command line, with a colon between them"},

	"oversubscribe": {0, true, "ignored, ameexec starts as many ranks as -n says"}, "nooversubscribe": {0, true, "ignored, ameexec starts as many ranks as -n says"},
	"map-by": {1, true, nothingToDo}, "rank-by": {1, true, nothingToDo}, "iface": {1, true, nothingToDo},
	"launcher": {1, true, nothingToDo}, "bootstrap": {1, true, nothingToDo}, "rmk": {1, true, nothingToDo},
	"use-hwthread-cpus": {0, true, nothingToDo}, "allow-run-as-root": {0, true, "ignored, nothing is forbidden to root"},
	"display-map": {0, true, "ignored; --debug shows what is started"}, "report-bindings": {0, true, "ignored; --debug shows what is started"},
	"verbose": {0, true, "ignored; --debug shows what is started"}, "q": {0, true, "ignored, ameexec is quiet"}, "quiet": {0, true, "ignored, ameexec is quiet"},
	"mca": {2, true, "ignored, it is for Open MPI"}, "gmca": {2, true, "ignored, it is for Open MPI"}, "prtemca": {2, true, "ignored, it is for Open MPI"},
	"genvall": {0, true, "ignored, ranks get the whole environment"}, "envall": {0, true, "ignored, ranks get the whole environment"},

	"c": {1, false, sayRanks}, "N": {1, false, sayRanks}, "ppn": {1, false, sayRanks}, "perhost": {1, false, sayRanks}, "npernode": {1, false, sayRanks},
	"ntasks": {1, false, ofSrun + "; " + sayRanks}, "nodes": {1, false, ofSrun + "; " + oneMachine}, "partition": {1, false, ofSrun},
	"p": {1, false, ofSrun}, "cpus-per-task": {1, false, ofSrun}, "mpi": {1, false, ofSrun},
	"output-filename": {1, false, sayOutput}, "outfile-pattern": {1, false, sayOutput}, "errfile-pattern": {1, false, sayOutput},
	"o": {1, false, sayOutput}, "output": {1, false, sayOutput},
	"stdin": {1, false, "--pty RANK gives a rank the input"}, "s": {1, false, "--pty RANK gives a rank the input"},
}

// renamed are options of others that ameexec has under another name.
var renamed = map[string]string{
	"wd": "wdir", "cwd": "wdir", "chdir": "wdir", "tag-output": "label", "prepend-rank": "label",
}

// attached is a number of ranks without a blank before it, as in -n4.
var attached = regexp.MustCompile(`^--?(n|np)(\d+)$`)

// translate makes options of mpiexec those of ameexec, in front of the
// program's name. It returns a notice for each that it leaves out.
func translate(args []string, flags []cli.Flag) (translated, notices []string, err error) {
	for i := 0; i < len(args); {
		option := args[i]
		name, value, hasValue := strings.Cut(strings.TrimLeft(option, "-"), "=")
		if option == "--" || name == "" || option[0] != '-' {
			return append(translated, args[i:]...), notices, nil
		}
		values, known := arguments(name, flags)
		foreign, isForeign := strangers[name]
		take := func(n int) []string { // the option's arguments
			if hasValue && n > 0 {
				i++
				return []string{value}
			}
			last := min(len(args), i+1+n)
			taken := args[i+1 : last]
			i = last
			return taken
		}
		parts := attached.FindStringSubmatch(option)
		switch {
		case known:
			taken := args[i:min(len(args), i+1+values)]
			if hasValue {
				taken = args[i : i+1]
			}
			translated = append(translated, taken...)
			i += len(taken)
		case parts != nil:
			translated = append(translated, "-"+parts[1], parts[2])
			i++
		case renamed[name] != "":
			args = slices.Concat(args[:i:i], []string{strings.Replace(option, name, renamed[name], 1)}, args[i+1:])
		case name == "H" || name == "host" || name == "hosts" || name == "w" || name == "nodelist":
			hosts := strings.Join(take(1), "")
			if !isHere(hosts) {
				return nil, nil, withStatus(statusUsage, "%s %s: %s", option, hosts, oneMachine)
			}
			notices = append(notices, option+": "+nothingToDo)
		case name == "genv" || name == "env":
			if pair := take(2); len(pair) == 2 {
				translated = append(translated, "-x", pair[0]+"="+pair[1])
			}
		case name == "genvlist" || name == "envlist":
			for _, variable := range strings.Split(strings.Join(take(1), ""), ",") {
				translated = append(translated, "-x", variable)
			}
		case isForeign && !foreign.ignored:
			return nil, nil, withStatus(statusUsage, "%s: %s", option, foreign.say)
		case isForeign:
			take(foreign.values)
			notices = append(notices, option+": "+foreign.say)
		default: // the parser says what is wrong
			translated = append(translated, option)
			i++
		}
	}
	return translated, notices, nil
}

// arguments returns how many arguments an option of ameexec takes.
func arguments(name string, flags []cli.Flag) (n int, known bool) {
	for _, flag := range append(flags, cli.HelpFlag, cli.VersionFlag) {
		if slices.Contains(flag.Names(), name) {
			if _, isSwitch := flag.(*cli.BoolFlag); isSwitch {
				return 0, true
			}
			return 1, true
		}
	}
	return 0, false
}

// isHere says whether a list of hosts, each perhaps with a number of slots
// after a colon, has no other machine than this one.
func isHere(list string) bool {
	here, err := os.Hostname()
	if err != nil {
		here = "localhost"
	}
	for host := range strings.SplitSeq(list, ",") {
		host, _, _ = strings.Cut(host, ":")
		short, _, _ := strings.Cut(host, ".")
		if !slices.Contains([]string{"localhost", "127.0.0.1", here}, host) && short != here {
			return false
		}
	}
	return true
}

// misplaced says that a number of ranks stands behind the program's name,
// where it goes to the program; "" if it does not.
func misplaced(args []string) string {
	for i, arg := range args[1:] {
		number := ""
		if (arg == "-n" || arg == "-np") && i+2 < len(args) {
			number = args[i+2]
		} else if parts := attached.FindStringSubmatch(arg); parts != nil {
			number = parts[2]
		}
		if regexp.MustCompile(`^\d+$`).MatchString(number) {
			return fmt.Sprintf("%s behind the program's name goes to the program; ameexec's own options stand before it: ameexec -n %s %s", arg, number, args[0])
		}
	}
	return ""
}
