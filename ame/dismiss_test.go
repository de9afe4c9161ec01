package ame

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A link that is dismissed while another frame, such as a sign of life, is just
// being written still takes the last one. It ends also if the other end takes
// nothing.
func TestDismiss(t *testing.T) {
	for name, reads := range map[string]bool{"reads": true, "takes nothing": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				l, other := newStream(0, 1, near), newStream(1, 0, far)
				written := make(chan error)
				go func() { written <- l.write(t.Context(), header{kind: kindHeartbeat, dest: 1}, nil) }()
				synctest.Wait()
				begin := time.Now()
				ended := make(chan struct{})
				l.dismiss(func(f func()) {
					go func() {
						defer close(ended)
						f()
					}()
				}, header{kind: kindLost, dest: 1}, nil)
				if reads {
					for _, want := range []kind{kindHeartbeat, kindLost} {
						h, _, err := other.read()
						require.NoError(t, err)
						assert.Equal(t, want, h.kind)
					}
					_, _, err := other.read()
					assert.Equal(t, io.EOF, err)
				}
				assert.Equal(t, reads, <-written == nil)
				<-ended
				assert.LessOrEqual(t, time.Since(begin), tellTime)
			})
		})
	}
}
