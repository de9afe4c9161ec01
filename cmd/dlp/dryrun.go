package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/command"
	"github.com/dlp-mpi/dlp-go/cmd/dlp/internal/source"
)

// printCommands prints the commands of all items, as they could be typed. The
// slot of each is not known yet: {%} is 1.
func (o *options) printCommands(to io.Writer) error {
	items, closer, err := o.source.Open(os.Stdin)
	if err != nil {
		return err
	}
	defer closer.Close()
	out := bufio.NewWriter(to)
	index := 0
	for item, err := range items {
		if err != nil {
			return fmt.Errorf("items: %w", err)
		}
		index++
		if item.Barrier != source.NoBarrier {
			fmt.Fprintln(out, "#DLP", item.Barrier)
		}
		args, err := o.template.Args(command.Values{Item: item, Number: index, Slot: 1})
		if err != nil {
			return fmt.Errorf("item %d: %w", index, err)
		}
		if _, err := fmt.Fprintln(out, command.Line(args)); err != nil {
			return err
		}
	}
	return out.Flush()
}
