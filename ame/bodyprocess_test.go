package ame

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// underRaceDetector says whether memory is also what the race detector needs.
func underRaceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// receiveLongBody lets rank 1 send rank 0 a message of n MiB.
func receiveLongBody(c *Comm, _ net.Conn, n int) (metrics, error) {
	ctx := context.Background()
	mark := []byte("the last bytes")
	if c.Rank() == 1 {
		body := make([]byte, n<<20)
		copy(body[len(body)-len(mark):], mark)
		return nil, c.Send(ctx, 0, 1, Payload{Body: body})
	}
	m, err := c.Recv(ctx, 1, 1)
	if err == nil && (len(m.Body) != n<<20 || !bytes.HasSuffix(m.Body, mark)) {
		err = fmt.Errorf("%d bytes have come", len(m.Body))
	}
	return metrics{"MiB-peak": float64(peakMemory()) / (1 << 20)}, err
}

// A body that is too long to be allocated before it comes takes its length, and
// a piece.
func TestLongBodyTakesItsLength(t *testing.T) {
	n := 384
	if underRaceDetector() {
		n = 8
	}
	peak := runTask(t, rankTask{Name: "long body", Size: 2, N: n, Ahead: 1 << 20})["MiB-peak"]
	t.Logf("%d MiB took %v", n, peak)
	if !underRaceDetector() {
		assert.Less(t, peak, float64(n+64+32))
	}
}
