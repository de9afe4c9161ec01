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
	commands, err := programsIn(bin)
	if err != nil {
		return nil, err
	}
	if built != "" {
		others, err := programsIn(built)
		if err != nil {
			return nil, err
		}
		commands = append(commands, others...)
	}
	scripts, err := filepath.Glob("../payload/*.sh")
	return append(append(commands, scripts...), src), err
})

// programsIn are the files of a folder.
func programsIn(folder string) (paths []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if entry.Type().IsRegular() {
			paths = append(paths, filepath.Join(folder, entry.Name()))
		}
	}
	return paths, nil
}
