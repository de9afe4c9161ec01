package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// figures are seconds, by who was measured and in what, in the order in which
// they were measured.
type figures map[figure][]float64

type figure struct {
	who string
	key
}

// limit ends a program that does not end.
const limit = 2 * time.Minute

// needed are the programs that some row wants, with those measures alone that one
// wants.
func needed(all []program, rows []row) []program {
	var found []program
	for _, p := range all {
		var wanted []string
		for _, measure := range p.measures() {
			k := key{measure, p.ranks}
			if slices.ContainsFunc(rows, func(r row) bool {
				return p.who == r.ours && k == r.measure || p.who == r.against && k == r.reference
			}) {
				wanted = append(wanted, measure)
			}
		}
		if len(wanted) == 0 {
			continue
		}
		if p.wall == "" {
			p.wants = wanted
		}
		found = append(found, p)
	}
	return found
}

// measure runs all programs in turn, so many times. One that is not installed
// is named, once; one that fails ends all.
func measure(ctx context.Context, all []program, rounds int) (figures, error) {
	all = slices.DeleteFunc(all, func(p program) bool {
		if p.needs == "" {
			return false
		}
		if _, err := os.Stat(p.needs); err == nil {
			return false
		}
		log.Printf("not installed: %s, for %s (apt-get install %s)", p.who, strings.Join(p.measures(), ", "), p.install)
		return true
	})
	found := figures{}
	for i := range rounds {
		start := time.Now()
		for _, p := range all {
			if err := found.run(ctx, p); err != nil {
				return nil, err
			}
		}
		log.Printf("round %d of %d: %.0f s", i+1, rounds, time.Since(start).Seconds())
	}
	return found, nil
}

// run adds the figures of one run of p.
func (f figures) run(ctx context.Context, p program) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	argv := p.command()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	start := time.Now()
	out, err := cmd.Output()
	took := time.Since(start).Seconds()
	if err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, stderr.String())
	}
	if p.wall != "" {
		f.add(p, p.wall, took)
		return nil
	}
	for text := range strings.Lines(string(out)) {
		name, value, ok := strings.Cut(strings.TrimSpace(text), "\t")
		if !ok {
			continue
		}
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("%v: %q is no figure", cmd, text)
		}
		f.add(p, name, seconds)
	}
	return nil
}

func (f figures) add(p program, measure string, seconds float64) {
	k := figure{p.who, key{measure, p.ranks}}
	f[k] = append(f[k], seconds)
}
