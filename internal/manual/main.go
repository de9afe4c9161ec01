// Manual writes the manual pages and the completions of the commands.
//
//	go run ./internal/manual -to DIR -bin BIN COMMAND...
//
// A page is made of what the command in BIN says of its options and of the
// package comment in cmd/COMMAND; dlp-go(7) is the package comment of
// bootstrap. DIR gets the layout of a prefix: share/man, and what bash, zsh and
// fish read.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/dlp-mpi/dlp-go/internal/clidoc"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("manual: ")
	to := flag.String("to", "bin", "the prefix to write to")
	bin := flag.String("bin", "bin", "where the commands are")
	flag.Parse()
	if err := run(*to, *bin, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

// run writes everything. It runs in the root of the module.
func run(to, bin string, names []string) error {
	write := func(path, text string) error {
		path = filepath.Join(to, "share", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, []byte(text), 0o644)
	}
	var version string
	for _, name := range names {
		command, err := ask(filepath.Join(bin, name))
		if err != nil {
			return err
		}
		version = command.Version
		about, err := packageComment(filepath.Join("cmd", name))
		if err != nil {
			return err
		}
		for path, text := range map[string]string{
			"man/man1/" + name + ".1":                     commandPage(command, about),
			"bash-completion/completions/" + name:         bash(command),
			"zsh/site-functions/_" + name:                 zsh(command),
			"fish/vendor_completions.d/" + name + ".fish": fish(command),
		} {
			if err := write(path, text); err != nil {
				return err
			}
		}
	}
	about, err := packageComment("bootstrap")
	if err != nil {
		return err
	}
	return write("man/man7/dlp-go.7", topicPage("dlp-go", "how a process learns its rank, and the variables of the environment that a user may set", version, about))
}

// ask asks a command for its description.
func ask(path string) (clidoc.Command, error) {
	var command clidoc.Command
	out, err := exec.Command(path, clidoc.Argument).Output()
	if err == nil {
		err = json.Unmarshal(out, &command)
	}
	if err != nil {
		return command, fmt.Errorf("%s %s: %w", path, clidoc.Argument, err)
	}
	return command, nil
}

// packageComment reads the package comment in a folder.
func packageComment(folder string) (*comment.Doc, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return nil, err
		}
		if doc := parsed.Doc; doc != nil {
			return parseComment(doc), nil
		}
	}
	return nil, fmt.Errorf("%s: no package comment", folder)
}

func parseComment(doc *ast.CommentGroup) *comment.Doc {
	var parser comment.Parser
	return parser.Parse(doc.Text())
}
