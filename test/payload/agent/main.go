// Agent runs commands on a machine of the cluster for the tests, see test/agent.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/dlp-mpi/dlp-go/test/agent"
)

func main() {
	if err := agent.Serve(stdio{}); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

// stdio is the connection to whoever has started this.
type stdio struct{}

func (stdio) Read(b []byte) (int, error)  { return os.Stdin.Read(b) }
func (stdio) Write(b []byte) (int, error) { return os.Stdout.Write(b) }
func (stdio) Close() error                { return errors.Join(os.Stdin.Close(), os.Stdout.Close()) }
