//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// payloadDir is where payload builds, removed at the end.
var payloadDir string

// payload builds what every machine gets in /opt/dlp: the commands, statically
// linked, the programs and scripts of test/payload, and a directory of Go source for corpus to count in. CLUSTER_BIN
// names a directory with commands to use instead of building them.
var payload = sync.OnceValues(func() (paths []string, err error) {
	payloadDir, err = os.MkdirTemp("", "dlp-payload-")
	if err != nil {
		return nil, err
	}
	bin := os.Getenv("CLUSTER_BIN")
	if bin == "" {
		bin = filepath.Join(payloadDir, "bin")
		build := exec.Command("go", "build", "-o", bin+"/", "../../cmd/...", "../../examples/...", "../payload/...")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go build: %w: %s", err, out)
		}
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	src := filepath.Join(payloadDir, "src")
	for _, pkg := range []string{"bufio", "bytes", "context", "errors", "sort", "strings"} {
		from := filepath.Join(strings.TrimSpace(string(goroot)), "src", pkg)
		if err := os.CopyFS(filepath.Join(src, pkg), os.DirFS(from)); err != nil {
			return nil, err
		}
	}
	commands, err := filepath.Glob(filepath.Join(bin, "*"))
	if err != nil {
		return nil, err
	}
	scripts, err := filepath.Glob("../payload/*.sh")
	return append(append(commands, scripts...), src), err
})
