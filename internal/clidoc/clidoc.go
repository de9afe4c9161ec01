// Package clidoc lets a command say which options it has, so that its manual
// page and its completions are made of the definitions that it runs by. The
// command internal/manual makes them.
package clidoc

import (
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Argument is what asks a command for its description, as its only argument.
const Argument = "--describe-options"

// Command is what a command says of itself.
type Command struct {
	Name  string
	Usage string // what it does, in a few words
	Synopsis,
	Version string
	Options  []Option
	Commands []Command // what its first argument may name
}

// Option is an option of a command.
type Option struct {
	Names   []string // without dashes, the main one first
	Usage   string
	Value   string // what stands for its value; empty if it takes none
	Default string
}

// Describe answers a command line that asks for the description, and returns
// whether it did.
func Describe(app *cli.App, args []string, stdout io.Writer) bool {
	if !slices.Equal(args[1:], []string{Argument}) {
		return false
	}
	out := json.NewEncoder(stdout)
	out.SetIndent("", "\t")
	out.Encode(describe(app)) // a lost answer is found missing by the one who asked
	return true
}

func describe(app *cli.App) Command {
	command := Command{Name: app.Name, Usage: app.Usage, Synopsis: app.UsageText, Version: app.Version}
	command.Options = options(append(app.Flags, cli.HelpFlag, cli.VersionFlag))
	for _, c := range app.Commands {
		command.Commands = append(command.Commands, Command{Name: c.Name, Usage: c.Usage, Synopsis: c.UsageText, Options: options(c.Flags)})
	}
	return command
}

func options(flags []cli.Flag) (options []Option) {
	for _, flag := range flags {
		doc, ok := flag.(cli.DocGenerationFlag)
		if !ok {
			continue
		}
		option := Option{Names: flag.Names()}
		option.Usage, option.Value = placeholder(doc.GetUsage())
		if doc.TakesValue() {
			if option.Value == "" {
				option.Value = "VALUE"
			}
			option.Default = doc.GetDefaultText()
		} else {
			option.Value = ""
		}
		options = append(options, option)
	}
	return options
}

// placeholder takes the word in backquotes out of a usage: "start `N` ranks".
func placeholder(usage string) (text, word string) {
	before, rest, ok := strings.Cut(usage, "`")
	if !ok {
		return usage, ""
	}
	word, after, _ := strings.Cut(rest, "`")
	return before + word + after, word
}
