package main

import (
	"fmt"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/clidoc"
)

// The options are completed up to the first word that is none; what follows is
// somebody's program and its arguments, or a file.

// every lists the options of a command and of those that its first argument names.
func every(c clidoc.Command) []clidoc.Option {
	options := c.Options
	for _, sub := range c.Commands {
		options = append(options, sub.Options...)
	}
	return options
}

// subcommands are what the first argument may name.
func subcommands(c clidoc.Command) (names []string) {
	for _, sub := range c.Commands {
		names = append(names, sub.Name)
	}
	return names
}

// words are all names of all options, and those of options with a value.
func words(c clidoc.Command) (all, valued []string) {
	for _, o := range every(c) {
		for _, name := range o.Names {
			all = append(all, dashed(name))
			if o.Value != "" {
				valued = append(valued, dashed(name))
			}
		}
	}
	return all, valued
}

func bash(c clidoc.Command) string {
	all, valued := words(c)
	program := ""
	if takesProgram(c) {
		program = `
	COMPREPLY=($(compgen -c -- "$word"))`
	}
	first := ""
	if names := subcommands(c); names != nil {
		program = fmt.Sprintf(`
	((COMP_CWORD > 1)) || COMPREPLY=($(compgen -W '%s' -- "$word"))`, strings.Join(names, " "))
		first = "\n\t\t" + strings.Join(names, "|") + ") ;;"
	}
	pattern := strings.Join(valued, "|")
	if pattern == "" {
		pattern = "--"
	}
	return fmt.Sprintf(`# bash completion for %[1]s
_%[2]s() {
	local word=${COMP_WORDS[COMP_CWORD]} i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		%[3]s) ((++i < COMP_CWORD)) || return ;; # its value
		-*) ;;%[6]s
		*) return ;; # the program has begun
		esac
	done
	if [[ $word == -* ]]; then
		COMPREPLY=($(compgen -W '%[4]s' -- "$word"))
		return
	fi%[5]s
}
complete -o bashdefault -o default -F _%[2]s %[1]s
`, c.Name, strings.ReplaceAll(c.Name, "-", "_"), pattern, strings.Join(all, " "), program, first)
}

func zsh(c clidoc.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\n\n_arguments -S \\\n", c.Name)
	for _, o := range every(c) {
		for _, name := range o.Names {
			value := ""
			if o.Value != "" {
				value = ":" + o.Value + ":" + map[bool]string{true: "_files", false: ""}[o.Value == "DIR"]
			}
			fmt.Fprintf(&b, "\t'%s[%s]%s' \\\n", dashed(name), zshText(o.Usage), value)
		}
	}
	if names := subcommands(c); names != nil {
		fmt.Fprintf(&b, "\t'1:command:(%s)' \\\n\t'*:file:_files'\n", strings.Join(names, " "))
	} else if takesProgram(c) {
		b.WriteString("\t'(-)1:program:_command_names -e' \\\n\t'*::arguments:_normal'\n")
	} else {
		b.WriteString("\t'*:file:_files'\n")
	}
	return b.String()
}

// zshText is text inside the brackets of a specification in single quotes.
func zshText(text string) string {
	return strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(text)
}

func fish(c clidoc.Command) string {
	var b strings.Builder
	for _, sub := range c.Commands {
		fmt.Fprintf(&b, "complete -c %s -n __fish_use_subcommand -a %s -d '%s'\n", c.Name, sub.Name, strings.ReplaceAll(sub.Usage, "'", `\'`))
	}
	for _, o := range every(c) {
		fmt.Fprintf(&b, "complete -c %s", c.Name)
		for _, name := range o.Names {
			switch { // fish has a word for -np, a long option with one dash
			case len(name) == 1:
				b.WriteString(" -s " + name)
			default:
				b.WriteString(" -l " + name)
			}
		}
		if o.Value != "" {
			b.WriteString(" -r")
		}
		fmt.Fprintf(&b, " -d '%s'\n", strings.ReplaceAll(o.Usage, "'", `\'`))
	}
	if takesProgram(c) {
		fmt.Fprintf(&b, "complete -c %s -n __fish_is_first_arg -xa '(__fish_complete_command)'\n", c.Name)
	}
	return b.String()
}

// takesProgram says whether the command starts another one.
func takesProgram(c clidoc.Command) bool { return strings.Contains(c.Synopsis, "PROGRAM [") }
