package main

import (
	"strconv"
	"time"
)

// plan is a job as the command line describes it, checked by the front and
// sent to ame-launcher.
type plan struct {
	Job       string
	Host      string
	Programs  []program
	StdinRank int  // the rank that reads ameexec's stdin; -1: none
	Terminal  bool // that rank also writes to the terminal itself
	Label     bool
	OutputDir string
	Timeout   time.Duration // 0: none
	Grace     time.Duration // between SIGTERM and SIGKILL when a rank has failed
	Patience  time.Duration // the same when somebody has sent us SIGTERM
	Continue  bool
	BindCores bool
	PMI       bool // serve PMI-1 to the ranks
	Debug     bool
	Notices   []string // about the options
}

// program is what one part of the command line starts.
type program struct {
	Ranks   int
	Path    string   // what to execute, absolute
	Args    []string // as given, the program's name first
	Dir     string   // "": that of ameexec
	Environ []string // from -x, NAME=VALUE
	missing []string // from -x NAME, but not set
	hint    string   // what the user may have meant; ""
}

// notices are what the user should know before the start.
func (p *plan) notices() []string {
	notices := p.Notices
	for _, program := range p.Programs {
		for _, name := range program.missing {
			notices = append(notices, "-x "+name+": not set here, so nothing to pass on")
		}
		if program.hint != "" {
			notices = append(notices, program.hint)
		}
	}
	return notices
}

// size is the number of ranks of the job.
func (p *plan) size() int {
	size := 0
	for _, program := range p.Programs {
		size += program.Ranks
	}
	return size
}

// applications numbers the parts of the command line, for each rank.
func (p *plan) applications() []int {
	var apps []int
	for number, program := range p.Programs {
		for range program.Ranks {
			apps = append(apps, number)
		}
	}
	return apps
}

// direct says whether rank writes to ameexec's own stdout and stderr, with
// nothing in between.
func (p *plan) direct(rank int) bool {
	if p.Label || p.OutputDir != "" {
		return false
	}
	return p.size() == 1 || p.Terminal && rank == p.StdinRank
}

// count is a number with the word for what is counted.
func count(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + several
}

// listed names ranks, or says that there are several.
func listed(ranks []int) string {
	if len(ranks) == 1 {
		return "rank " + strconv.Itoa(ranks[0])
	}
	return "others"
}
