package ame

import (
	"context"
	"fmt"
	"os"
	"time"
)

// joinRoot is the start-up of every rank but 0: it connects to rank 0 and
// waits to be welcomed.
func (j *job) joinRoot(ctx context.Context, cfg *Config, own Peer, me credentials) error {
	found, root, err := findRoot(ctx, cfg, me)
	j.mesh.describe(0, Peer{Node: &Node{Host: root.Host}})
	if err != nil {
		return j.errorf("connect", 0, err)
	}
	conn := found.conn
	j.pairing = &pairing{job: j, cfg: *cfg, own: me.at(root)}
	j.pairing.own.run, j.pairing.own.pairs = found.run, &keyring{}
	l := j.newLink(0, conn)
	body := appendRecord(appendPeer(nil, own), recordClaim, cfg.Claim)
	h := header{kind: kindJoin, source: uint32(j.rank), length: uint64(len(body))}
	if err := l.write(ctx, h, body); err != nil {
		conn.Close()
		return j.errorf("connect", 0, err)
	}
	records, err := j.awaitWelcome(ctx, l)
	if err != nil {
		conn.Close()
		return err
	}
	j.adopt(l, atOnce)
	j.startBeat(parseHeartbeat(records))
	return nil
}

// deadlineGrace is how much longer than to its own start-up deadline a rank
// that is connected waits for rank 0, whose error names the missing ranks.
const deadlineGrace = 5 * time.Second

// awaitWelcome reads the first frame of rank 0, and returns the records behind
// its directory.
func (j *job) awaitWelcome(ctx context.Context, l *stream) (records []byte, err error) {
	h, body, err := readBefore(ctx, l)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, j.errorf("connect", 0, fmt.Errorf("connected, then waited for the other ranks: %w", context.Cause(ctx)))
	case err != nil:
		return nil, j.errorf("connect", 0, &failure{reason: reasonLost, text: lossText(err) + ownOutput})
	case h.kind == kindFail:
		f, err := parseFailure(body, j.size)
		if err != nil {
			return nil, j.errorf("connect", 0, err)
		}
		return nil, j.errorf("connect", f.peer, f)
	case h.kind != kindWelcome:
		return nil, j.errorf("connect", 0, fmt.Errorf("%v frame instead of a welcome", h.kind))
	}
	known, records, err := parseDirectory(body, j.size)
	if err != nil {
		return nil, j.errorf("connect", 0, err)
	}
	j.mesh.setDirectory(known)
	if !j.connectionsOnly {
		j.memory.join(records, known[0], j.size, j.log)
	}
	j.mayShare(l)
	return records, nil
}

// readBefore reads a frame. When ctx ends, it is given up, after deadlineGrace
// if that was a deadline.
func readBefore(ctx context.Context, l *stream) (header, []byte, error) {
	set := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		end := time.Unix(1, 0)
		if ctx.Err() == context.DeadlineExceeded {
			end = time.Now().Add(deadlineGrace)
		}
		l.conn.SetReadDeadline(end)
		close(set)
	})
	h, body, err := l.read()
	if !stop() {
		<-set
		l.conn.SetReadDeadline(time.Time{})
	}
	return h, body, err
}

// self is what this rank says of itself.
func self(cfg *Config) Peer {
	return Peer{Node: &Node{Host: cfg.Host, ID: cfg.Node}, PID: os.Getpid()}
}
