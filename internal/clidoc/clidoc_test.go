package clidoc

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"

	"github.com/dlp-mpi/dlp-go/test/deadline"
)

func TestMain(m *testing.M) { os.Exit(deadline.Each(m).Run()) }

func TestDescribe(t *testing.T) {
	app := &cli.App{
		Name: "go", Usage: "run", UsageText: "go [options] PROGRAM [ARGS...]", Version: "v1",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "n", Aliases: []string{"np"}, Usage: "start `N` ranks", DefaultText: "one"},
			&cli.StringFlag{Name: "kind", Usage: "of which kind"},
			&cli.BoolFlag{Name: "all", Usage: "take `all` of them"},
		},
	}
	var out strings.Builder
	assert.False(t, Describe(app, []string{"go", "--all"}, &out))
	assert.False(t, Describe(app, []string{"go", "program", Argument}, &out), "that is the program's")
	assert.Empty(t, out.String())

	require.True(t, Describe(app, []string{"go", Argument}, &out))
	var got Command
	require.NoError(t, json.Unmarshal([]byte(out.String()), &got))
	require.Len(t, got.Options, 5)
	assert.Equal(t, []Option{
		{[]string{"n", "np"}, "start N ranks", "N", "one"},
		{[]string{"kind"}, "of which kind", "VALUE", ""},
		{[]string{"all"}, "take all of them", "", ""},
	}, got.Options[:3])
	assert.Equal(t, []string{"help", "h"}, got.Options[3].Names)
	got.Options = nil
	assert.Equal(t, Command{Name: "go", Usage: "run", Synopsis: "go [options] PROGRAM [ARGS...]", Version: "v1"}, got)
}
