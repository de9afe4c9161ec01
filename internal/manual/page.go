package main

import (
	"fmt"
	"go/doc/comment"
	"strings"

	"github.com/dlp-mpi/dlp-go/internal/clidoc"
)

// commandPage is the page of a command in man(7)'s language.
func commandPage(c clidoc.Command, about *comment.Doc) string {
	var p page
	p.head(c.Name, 1, c.Usage, c.Version)
	p.section("SYNOPSIS")
	p.line(".B " + escape(c.Synopsis))
	for _, sub := range c.Commands {
		if sub.Synopsis != c.Synopsis {
			p.line(".br\n.B " + escape(sub.Synopsis))
		}
	}
	p.section("DESCRIPTION")
	sections := about.Content
	// Up to the first heading it is the description, then come sections.
	for len(sections) > 0 && !isHeading(sections[0]) {
		p.block(sections[0])
		sections = sections[1:]
	}
	p.section("OPTIONS")
	for _, o := range c.Options {
		p.option(o)
	}
	for _, sub := range c.Commands {
		p.section("OPTIONS OF " + strings.ToUpper(c.Name+" "+sub.Name))
		for _, o := range sub.Options {
			p.option(o)
		}
	}
	for _, block := range sections {
		p.block(block)
	}
	p.section("SEE ALSO")
	p.line(".BR dlp-go (7)")
	return p.String()
}

// topicPage is a page that is no command's.
func topicPage(name, usage, version string, about *comment.Doc) string {
	var p page
	p.head(name, 7, usage, version)
	p.section("DESCRIPTION")
	for _, block := range about.Content {
		p.block(block)
	}
	p.section("SEE ALSO")
	p.line(".BR ameexec (1),")
	p.line(".BR dlp-hello (1)")
	return p.String()
}

func isHeading(block comment.Block) bool {
	_, ok := block.(*comment.Heading)
	return ok
}

// page is a page that is being written.
type page struct{ strings.Builder }

func (p *page) line(text string) { p.WriteString(text + "\n") }

func (p *page) head(name string, section int, usage, version string) {
	p.line(fmt.Sprintf(`.TH "%s" %d "" "dlp-go %s"`, strings.ToUpper(name), section, version))
	p.section("NAME")
	p.line(escape(name) + ` \- ` + escape(usage))
}

func (p *page) section(title string) { p.line(".SH " + escape(title)) }

func (p *page) option(o clidoc.Option) {
	var names []string
	for _, name := range o.Names {
		names = append(names, `\fB`+escape(dashed(name))+`\fR`)
	}
	p.line(".TP")
	value := ""
	if o.Value != "" {
		value = ` \fI` + escape(o.Value) + `\fR`
	}
	p.line(strings.Join(names, ", ") + value)
	text := escape(o.Usage)
	if o.Default != "" {
		text += " (default: " + escape(o.Default) + ")"
	}
	p.line(text)
}

// block writes a block of a comment.
func (p *page) block(block comment.Block) {
	switch b := block.(type) {
	case *comment.Heading:
		p.section(strings.ToUpper(plain(b.Text)))
	case *comment.Paragraph:
		p.line(".PP")
		p.line(escape(plain(b.Text)))
	case *comment.Code:
		p.line(".PP\n.nf\n.RS 4")
		for line := range strings.Lines(b.Text) {
			p.line(escape(strings.TrimSuffix(line, "\n")))
		}
		p.line(".RE\n.fi")
	case *comment.List:
		for _, item := range b.Items {
			p.line(`.IP \(bu 2`)
			for _, inner := range item.Content {
				if text, ok := inner.(*comment.Paragraph); ok {
					p.line(escape(plain(text.Text)))
				}
			}
		}
	}
}

// plain is text without its links.
func plain(text []comment.Text) string {
	var b strings.Builder
	for _, t := range text {
		switch t := t.(type) {
		case comment.Plain:
			b.WriteString(string(t))
		case comment.Italic:
			b.WriteString(string(t))
		case *comment.Link:
			b.WriteString(plain(t.Text))
		case *comment.DocLink:
			b.WriteString(plain(t.Text))
		}
	}
	return b.String()
}

// escape keeps roff from seeing commands in text: a backslash, a hyphen that is
// to be one, and a line that begins with a dot or a quote.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// dashed is an option as it is typed.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}
