package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
)

// rankCount is a flag that takes a number of ranks.
type rankCount int

func (n *rankCount) Set(text string) error {
	number, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return errors.New("want a number of ranks, such as -n 4")
	case number < 1:
		return errors.New("a job has at least one rank")
	}
	*n = rankCount(number)
	return nil
}

func (n *rankCount) String() string { return "" }

// exports collects -x. Values are taken as they are, commas and blanks too.
type exports struct {
	pairs   []string
	missing []string // names without a value that are not set here either
}

func (x *exports) Set(text string) error {
	name, _, hasValue := strings.Cut(text, "=")
	if name == "" {
		return errors.New("want NAME or NAME=VALUE")
	}
	if !hasValue {
		value, ok := os.LookupEnv(name)
		if !ok {
			x.missing = append(x.missing, name)
			return nil
		}
		text += "=" + value
	}
	x.pairs = append(x.pairs, text)
	return nil
}

func (x *exports) String() string { return "" }

// duration is a flag that takes 90s, 10m, or plain seconds.
type duration time.Duration

func (d *duration) Set(text string) error {
	value, err := time.ParseDuration(text)
	if err != nil {
		value, err = time.ParseDuration(text + "s")
	}
	if err != nil || value < 0 {
		return errors.New("want a duration such as 90s or 10m, or a number of seconds")
	}
	*d = duration(value)
	return nil
}

func (d *duration) String() string { return "" }
