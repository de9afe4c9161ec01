package ame

import (
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A job may be over before the goroutine that took a connection has run on: a
// link is not the reception's to close, only what is not one yet.
func TestStopLeavesLinksAlone(t *testing.T) {
	for name, isLink := range map[string]bool{"a link": true, "not yet": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := NewMemoryListener()
				goOn := make(chan struct{})
				r := &reception{
					listener: l, credentials: testCredentials(testConfig(0, 2)), log: slog.New(slog.DiscardHandler),
					opening: map[net.Conn]bool{},
					admit: func(conn net.Conn, _ *admission, taken func()) error {
						if isLink {
							taken()
						}
						assert.NoError(t, say(conn, verdictWelcome))
						<-goOn
						return nil
					},
				}
				go r.accept()
				conn, err := l.Dial(t.Context(), "")
				require.NoError(t, err)
				defer conn.Close()
				_, err = greetAs(conn, testConfig(1, 2))
				require.NoError(t, err)

				go r.stop()
				synctest.Wait()
				ended := make(chan error, 1)
				go func() {
					_, err := conn.Read(make([]byte, 1))
					ended <- err
				}()
				synctest.Wait()
				select {
				case err := <-ended:
					assert.Equal(t, io.EOF, err)
					assert.False(t, isLink)
				default:
					assert.True(t, isLink)
				}
				close(goOn)
				conn.Close()
			})
		})
	}
}
