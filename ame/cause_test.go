package ame

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A rank that has heard of a loss may say bye on the link of a pair before the
// other one hears of it from rank 0. What that returns then is the loss.
func TestByeOfAPairDoesNotHideALoss(t *testing.T) {
	for name, lost := range map[string]bool{"a loss": true, "no loss": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				comms := connectAll(t, overPairPipes, 4)
				require.NoError(t, comms[1].Send(t.Context(), 3, 1, text("opens a link")))
				_, err := comms[3].Recv(t.Context(), 1, 1)
				require.NoError(t, err)
				time.Sleep(time.Second)
				own := comms[3].job.mesh.to(1)
				require.NotNil(t, own)
				ended := make(chan error, 1)
				go func() {
					_, err := comms[3].Recv(t.Context(), 1, 2)
					ended <- err
				}()
				_, err = comms[3].job.dispatch(own, &header{kind: kindBye, source: 1, dest: 3}, nil)
				require.ErrorIs(t, err, errDone)
				synctest.Wait()
				assert.Empty(t, ended, "rank 0 has not said why")
				if !lost {
					assert.ErrorIs(t, <-ended, ErrLeft)
					return
				}
				kill(comms[2])
				err = <-ended
				assert.ErrorIs(t, err, ErrLost)
				assert.ErrorContains(t, err, "rank 2 on ")
			})
		})
	}
}

// A write that a bye of rank 0 has ended tells of the loss before it, and is no
// loss of rank 0.
func TestWriteEndedByABye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		comms := connectAll(t, overMemory, 3)
		j := comms[1].job
		l := j.mesh.to(0)
		j.isLost(&failure{reason: reasonLost, peer: 2, text: "killed"})
		j.left(0)
		l.close()
		err := comms[1].broken(t.Context(), "gather", l, net.ErrClosed)
		assert.ErrorIs(t, err, ErrLost)
		assert.ErrorContains(t, err, "rank 2 on ")
		assert.Nil(t, j.failure())
	})
}
