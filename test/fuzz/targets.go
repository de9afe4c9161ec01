package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// module is left out where packages are named.
const module = "github.com/dlp-mpi/dlp-go"

// target is a function that is given any input.
type target struct{ pkg, dir, name string }

func (t target) String() string {
	return strings.TrimPrefix(strings.TrimPrefix(t.pkg, module), "/") + " " + t.name
}

// declared finds fuzz targets in the source of a test.
var declared = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(`)

// targets returns the fuzz targets of packages, in the order of packages. They
// are looked up in the source: go test -list would have to link the tests of
// all packages.
func targets(ctx context.Context, packages []string) ([]target, error) {
	list, err := output(ctx, "go", append([]string{"list", "-json=ImportPath,Dir,TestGoFiles,XTestGoFiles"}, packages...)...)
	if err != nil {
		return nil, err
	}
	var found []target
	for d := json.NewDecoder(strings.NewReader(list)); ; {
		var p struct {
			ImportPath, Dir           string
			TestGoFiles, XTestGoFiles []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		for _, file := range append(p.TestGoFiles, p.XTestGoFiles...) {
			source, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				return nil, err
			}
			for _, match := range declared.FindAllSubmatch(source, -1) {
				found = append(found, target{p.ImportPath, p.Dir, string(match[1])})
			}
		}
	}
}
