package ame

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// Heartbeats find ranks that say nothing any more: whose process is stopped,
// whose node is gone, whose network is cut. Every byte that comes over a link is
// a sign of life; where a link would be idle, a small frame goes over it.

// beat looks at all links until the job is over: it shows signs of life, and
// finds out who shows none.
func (j *job) beat(p *pulse) {
	j.showAll()
	tick := time.NewTicker(p.every())
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-j.life.Done():
			return
		case <-j.hasFailed:
			return
		}
		p.look(time.Now())
		for _, l := range j.mesh.links() {
			if j.mesh.gone(l.peer()) != nil {
				continue
			}
			if p.due(l.peer(), l.quiet()) {
				j.show(l)
			}
			if p.hear(l.peer(), l.sign()) {
				j.background(func() { j.silent(l, p.limit) })
			}
		}
	}
}

// startBeat begins the heartbeats of a job that is up; 0: there are none. Rank 0
// watches all ranks from now on. Others watch those of whom they have heard.
func (j *job) startBeat(limit time.Duration) {
	if limit <= 0 {
		return
	}
	p := newPulse(limit, time.Now())
	for rank := 1; j.rank == 0 && rank < j.size; rank++ {
		p.begin(rank)
	}
	j.mu.Lock()
	j.pulse = p
	j.mu.Unlock()
	j.background(func() { j.beat(p) })
}

func (j *job) showAll() {
	for _, l := range j.mesh.links() {
		j.show(l)
	}
}

// show sends a sign of life, for which nothing waits: while the other end takes
// nothing the write does not return before the link is closed.
func (j *job) show(l link) {
	h := header{kind: kindHeartbeat, source: uint32(j.rank), dest: uint32(l.peer())}
	j.pumps.Go(func() { _ = l.write(context.Background(), h, nil) }) // an error is for the link's pump to find
}

// silent is what this rank makes of one that has shown no sign of life.
func (j *job) silent(l link, limit time.Duration) {
	if j.mesh.gone(l.peer()) != nil {
		return
	}
	j.broke(l, j.silence(l.peer(), limit), nil)
}

// silence says what is known of a rank that has shown no sign of life.
func (j *job) silence(rank int, limit time.Duration) string {
	return fmt.Sprintf("no sign of life for %v (pid %d): stopped, cut off, or its node is gone", limit, j.mesh.directory()[rank].PID)
}

// limit is how long a rank may be silent; 0: for ever.
func (j *job) limit() time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.pulse == nil {
		return 0
	}
	return j.pulse.limit
}

// absence says that this process itself has stood still, if it has: others may
// have given it up for lost. It is what follows a cause.
func (j *job) absence() string {
	j.mu.Lock()
	p := j.pulse
	j.mu.Unlock()
	if p == nil {
		return ""
	}
	if d := p.absence(time.Now()); d > 0 {
		return fmt.Sprintf("; this process had stood still for %v (stopped, or starved of CPU), so it may have been given up for lost", d.Round(100*time.Millisecond))
	}
	return ""
}

// givenUp ends the job on a rank that rank 0 has declared lost and that lives.
func (j *job) givenUp(l link, cause string) {
	j.failFrom(l, &failure{reason: reasonLost, peer: j.rank, text: "rank 0 has given it up: " + cause + j.absence()})
}

// appendHeartbeat appends the record that tells all ranks how long one may be
// silent.
func appendHeartbeat(b []byte, limit time.Duration) []byte {
	return appendRecord(b, recordHeartbeat, binary.BigEndian.AppendUint64(nil, uint64(limit)))
}

// parseHeartbeat finds it among the records behind a directory; 0: there is none.
func parseHeartbeat(records []byte) time.Duration {
	body, ok := findRecord(records, recordHeartbeat)
	if !ok || len(body) != 8 {
		return 0
	}
	return time.Duration(binary.BigEndian.Uint64(body))
}
