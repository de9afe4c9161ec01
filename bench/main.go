// Bench measures this project beside what its users would take instead, in one
// run: each round runs every program once, in turn, and the table has the ratios
// of the medians over all rounds.
//
//	make bench            8 rounds
//	QUICK=1 make bench    2 rounds, for a first look
//	ROUNDS=20 RUN=barrier make bench
//
// Besides the table it writes bench/results.tsv (all figures) and
// docs/figures/bench.svg. A program that is not installed is a line that says
// how to install it. Figures of a busy machine vary by a factor of 3, ratios
// by less: hence the turns.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
)

const (
	manyRounds  = 8
	quickRounds = 2
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx); err != nil {
		log.Fatalf("bench: %v", err)
	}
}

func bench(ctx context.Context) error {
	rounds := manyRounds
	if os.Getenv("QUICK") == "1" {
		rounds = quickRounds
	}
	if text := os.Getenv("ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("ROUNDS=%s: a number of rounds, such as 8", text)
		}
		rounds = n
	}
	wanted, err := regexp.Compile(os.Getenv("RUN"))
	if err != nil {
		return fmt.Errorf("RUN: %w", err)
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(ctx, dir); err != nil {
		return err
	}
	rows := chosen(wanted)
	figures, err := measure(ctx, needed(programs(dir), rows), rounds)
	if err != nil {
		return err
	}
	fmt.Print(table(rows, figures))
	if err := os.WriteFile(filepath.Join("bench", "results.tsv"), []byte(figures.tsv()), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join("docs", "figures"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join("docs", "figures", "bench.svg"), []byte(svg(rows, figures)), 0o644)
}
