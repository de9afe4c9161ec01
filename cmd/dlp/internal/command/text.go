package command

import (
	"errors"
	"path"
	"strings"
)

// cut is the part of a path that a kind of replacement stands for.
func cut(text, kind string) string {
	switch kind {
	case ".":
		return withoutExtension(text)
	case "/":
		return text[strings.LastIndexByte(text, '/')+1:]
	case "//":
		return path.Dir(text)
	case "/.":
		return withoutExtension(text[strings.LastIndexByte(text, '/')+1:])
	}
	return text
}

// withoutExtension removes what follows the last dot of the name, the dot
// included. A name that begins with its only dot has no extension.
func withoutExtension(text string) string {
	name := strings.LastIndexByte(text, '/') + 1
	if dot := strings.LastIndexByte(text, '.'); dot > name {
		return text[:dot]
	}
	return text
}

// checkArgument says why text can be no argument of a command.
func checkArgument(text string) error {
	if strings.IndexByte(text, 0) >= 0 {
		return errors.New("the item has a NUL byte, which no argument can hold; --stdin-item takes any bytes")
	}
	return nil
}

// plain are the bytes that mean only themselves to a shell.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%"

// Quote returns text as one word of a POSIX shell.
func Quote(text string) string {
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// Line is a command as a user could type it into a shell.
func Line(args []string) string {
	if len(args) == 3 && args[0] == "/bin/sh" && args[1] == "-c" {
		return args[2]
	}
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = Quote(arg)
	}
	return strings.Join(quoted, " ")
}
