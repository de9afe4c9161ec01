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

// payload builds what every machine gets in /opt/dlp: the commands and examples,
// statically linked, the programs and scripts of test/payload, and a directory of Go
// source for corpus to count in. CLUSTER_BIN names a directory in which make build
// has put the commands and examples.
var payload = sync.OnceValues(func() (paths []string, err error) {
	payloadDir, err = os.MkdirTemp("", "dlp-payload-")
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(payloadDir, "bin")
	packages := []string{"../payload/..."}
	built := os.Getenv("CLUSTER_BIN")
	if built == "" {
		packages = append(packages, "../../cmd/...", "../../examples/...")
	}
	build := exec.Command("go", append([]string{"build", "-trimpath", "-o", bin + "/"}, packages...)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, out)
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
	if built != "" {
		if err := linkPrograms(built, bin); err != nil {
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

// linkPrograms makes the files of a folder appear in another one.
func linkPrograms(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		if err := os.Symlink(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
