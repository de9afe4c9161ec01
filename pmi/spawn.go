package pmi

import (
	"fmt"
	"strconv"
	"strings"
)

// spawning is what matters of one block of a spawn request.
type spawning struct {
	total, number int    // totspawns and spawnssofar: blocks of the request, and which one this is
	program       string // execname
}

// spawnLine skips the lines of a spawn request and refuses it at its end.
// MPI_Comm_spawn_multiple sends a block for each of its commands and waits for
// one reply, after the last.
func (e *engine) spawnLine(rank int, line string) step {
	spawn := e.members[rank].spawn
	if line == "endcmd" {
		e.members[rank].spawn = nil
		if spawn.number < spawn.total {
			return step{}
		}
		s := answer(rank, "spawn_result", "rc", "-1")
		s.notice = e.once(Notice{Spawn, fmt.Sprintf("asked to spawn %.200q (MPI_Comm_spawn), which this server does not do", spawn.program)})
		return s
	}
	key, value, _ := strings.Cut(line, "=")
	if key == "execname" {
		spawn.program = value
	}
	n, err := strconv.Atoi(value)
	switch {
	case err != nil:
	case key == "totspawns":
		spawn.total = n
	case key == "spawnssofar":
		spawn.number = n
	}
	return step{}
}
