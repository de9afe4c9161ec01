package ame

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/dlp-mpi/dlp-go/internal/printable"
)

// announceAfter is how long a call waits for another rank before it says so.
// The announcement costs nothing in a healthy job, and lets ranks be found that
// wait for something that will never come.
const announceAfter = 300 * time.Millisecond

// maxAnnouncement bounds, in bytes, what a rank says of the call that it waits in.
const maxAnnouncement = 1 << 10

// announce says that this rank has been waiting: in a collective to the leader
// of the communicator, which compares, and for a message to its source.
func (c *Comm) announce(ctx context.Context, p pattern, now *round) {
	h, dest, body := header{kind: kindWaiting}, p.source, []byte(nil)
	if now != nil {
		h, body = now.announcement()
		dest = c.group.leader()
	}
	// Whatever keeps this from being sent also ends the wait.
	_ = c.send(ctx, &h, dest, body)
}

// announces says whether somebody should hear of a long wait: the leader, of
// one in a collective; and another rank, of one for its message, if it could
// leave unnoticed.
func (c *Comm) announces(p pattern) bool {
	if p.op != 0 {
		return c.group.self != 0
	}
	return c.job.rank != 0 && p.source > 0 && p.source != c.job.rank
}

// announcement is the frame that tells of a collective, but for its addresses.
func (r *round) announcement() (header, []byte) {
	body := binary.BigEndian.AppendUint32(nil, r.digest)
	text := r.where.text(r.call)
	return header{kind: kindWaiting, call: r.call, tag: r.seq}, append(body, text[:min(len(text), maxAnnouncement)]...)
}

// parseAnnouncement reads a frame of kindWaiting that is about a collective.
func parseAnnouncement(h *header, body []byte) (announcement, error) {
	if len(body) < 4 || len(body) > 4+maxAnnouncement {
		return announcement{}, fmt.Errorf("waiting frame of %d bytes", len(body))
	}
	return announcement{
		seq: h.tag, call: h.call, digest: binary.BigEndian.Uint32(body), text: printable.Text(string(body[4:])),
	}, nil
}
