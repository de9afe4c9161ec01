package main

import (
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// listing is what rank 0 finds. It travels to the other ranks, so its fields
// are exported.
type listing struct {
	Dir    string    // absolute, so that ranks may start elsewhere
	Paths  []string  // of the Go files, sorted
	Failed []failure // directories that cannot be read
}

// list finds the Go files below dir, or below the source of Go if dir is "".
// Only regular files count: a pipe named x.go would never end.
func list(dir string) (listing, error) {
	var err error
	if dir == "" {
		if dir, err = goSource(); err != nil {
			return listing{}, err
		}
	}
	found := listing{}
	if found.Dir, err = filepath.Abs(dir); err != nil {
		return listing{}, err
	}
	// WalkDir follows no links, but the directory itself may be one.
	root, err := filepath.EvalSymlinks(found.Dir)
	if err != nil {
		return listing{}, fmt.Errorf("%s: %w", dir, cause(err))
	}
	if _, err := os.ReadDir(root); err != nil {
		return listing{}, fmt.Errorf("%s: %w", dir, cause(err))
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			found.Failed = append(found.Failed, failure{path, cause(err).Error()})
		case entry.Type().IsRegular() && filepath.Ext(path) == ".go":
			found.Paths = append(found.Paths, path)
		}
		return nil
	})
	return found, err
}

// goSource returns the directory with the source of Go's standard library.
func goSource() (string, error) {
	goEnv := exec.Command("go", "env", "GOROOT")
	goEnv.Env = append(os.Environ(), "GOTOOLCHAIN=local") // do not download another one
	out, err := goEnv.Output()
	src := filepath.Join(strings.TrimSpace(string(out)), "src")
	if err == nil {
		_, err = os.Stat(src)
	}
	if err != nil {
		return "", fmt.Errorf("no source of Go to count (%w): name a directory: corpus DIR", err)
	}
	return src, nil
}

// count adds a file to a tally. One with errors in its syntax counts as far as
// the scanner makes sense of it.
func (t *tally) count(rank int, path string) {
	t.ItemsPerRank[rank]++
	src, err := os.ReadFile(path)
	if err != nil {
		t.Failed = append(t.Failed, failure{path, cause(err).Error()})
		return
	}
	t.Files++
	t.Bytes += len(src)
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile(path, -1, len(src)), src, nil, 0)
	for {
		switch _, tok, text := s.Scan(); tok {
		case token.EOF:
			return
		case token.IDENT:
			t.Identifiers[text]++
			fallthrough
		default:
			t.Tokens++
		}
	}
}

// cause is what went wrong with a file, without the path, which is reported anyway.
func cause(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
