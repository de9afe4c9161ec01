package source

import (
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// texts returns the items as text, columns with | between them.
func texts(t *testing.T, items iter.Seq2[Item, error]) (texts []string) {
	t.Helper()
	for item, err := range items {
		require.NoError(t, err)
		texts = append(texts, strings.Join(item.Columns, "|"))
	}
	return texts
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 10<<20)
	tests := map[string]struct {
		text      string
		end       byte
		separator string
		want      []string
	}{
		"none":           {"", '\n', "", nil},
		"one":            {"a\n", '\n', "", []string{"a"}},
		"no end":         {"a\nb", '\n', "", []string{"a", "b"}},
		"empty lines":    {"\na\n\n\nb\n", '\n', "", []string{"a", "b"}},
		"blanks stay":    {" a  b \n", '\n', "", []string{" a  b "}},
		"NUL":            {"a\nb\x00c\x00", 0, "", []string{"a\nb", "c"}},
		"NUL, empty":     {"a\x00\x00b", 0, "", []string{"a", "", "b"}},
		"columns":        {"a,b,,c\nd\n", '\n', ",", []string{"a|b||c", "d"}},
		"binary":         {"\xff\xfe\x01\n", '\n', "", []string{"\xff\xfe\x01"}},
		"carriage":       {"a\r\n", '\n', "", []string{"a\r"}},
		"very long line": {long + "\nb\n", '\n', "", []string{long, "b"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, texts(t, Lines(strings.NewReader(test.text), test.end, test.separator)))
		})
	}
}

// An endless source: a line is there as soon as it has been read.
func TestLinesComeAsTheyAreRead(t *testing.T) {
	r, w := io.Pipe()
	next, stop := iter.Pull2(Lines(r, '\n', ""))
	defer stop()
	for _, line := range []string{"first", "second"} {
		go w.Write([]byte(line + "\n"))
		item, err, ok := next()
		require.True(t, ok)
		require.NoError(t, err)
		assert.Equal(t, line, item.Text())
	}
	r.Close()
}

func TestLinesEndWithTheErrorOfTheReader(t *testing.T) {
	broken := errors.New("disk on fire")
	var got []string
	var last error
	for item, err := range Lines(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), '\n', "") {
		if err != nil {
			last = err
			continue
		}
		got = append(got, item.Text())
	}
	assert.Equal(t, []string{"a"}, got)
	require.ErrorIs(t, last, broken)
	assert.ErrorContains(t, last, "line 2: ")
}

func TestRange(t *testing.T) {
	tests := map[string][]string{
		"0-3":     {"0", "1", "2", "3"},
		"5-5":     {"5"},
		"1-10:4":  {"1", "5", "9"},
		"008-010": {"008", "009", "010"},
		"00-1":    {"00", "01"},
		"0-9223372036854775807:9223372036854775807": {"0", "9223372036854775807"},
	}
	for text, want := range tests {
		items, err := Range(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, texts(t, items), text)
	}
	for _, text := range []string{"", "5", "a-b", "3-1", "1-5:0", "1-5:", "-1-5", "1-5:2:3", "0-99999999999999999999"} {
		_, err := Range(text)
		assert.ErrorContains(t, err, "range", text)
	}
}

func TestArguments(t *testing.T) {
	tests := map[string][]string{
		"::: a b":                     {"a", "b"},
		":::":                         nil,
		"::: a b ::: 1 2":             {"a|1", "a|2", "b|1", "b|2"},
		"::: a b :::+ 1 2":            {"a|1", "b|2"},
		"::: a b c :::+ 1 2":          {"a|1", "b|2"},
		"::: a b :::+ 1 2 ::: x y":    {"a|1|x", "a|1|y", "b|2|x", "b|2|y"},
		"::: x y ::: a b :::+ 1 2":    {"x|a|1", "x|b|2", "y|a|1", "y|b|2"},
		"::: a b ::: ::: c":           nil,
		"::: a b :::+ 1 2 :::+ I  II": {"a|1|I", "b|2|II"},
	}
	for text, want := range tests {
		command, rest := Cut(strings.Fields("echo {} " + text))
		assert.Equal(t, []string{"echo", "{}"}, command)
		items, err := Arguments(rest)
		require.NoError(t, err, text)
		assert.Equal(t, want, texts(t, items), text)
	}
	_, err := Arguments([]string{":::+", "a"})
	assert.ErrorContains(t, err, "not :::+")
}

func TestPack(t *testing.T) {
	five := func() iter.Seq2[Item, error] { return Lines(strings.NewReader("1\n2\n3\n4\n5\n"), '\n', "") }
	assert.Equal(t, []string{"1|2", "3|4", "5"}, texts(t, Pack(five(), 2)))
	assert.Equal(t, []string{"1|2|3|4|5"}, texts(t, Pack(five(), 9)))
	assert.Equal(t, []string{"1", "2", "3", "4", "5"}, texts(t, Pack(five(), 1)))

	broken := errors.New("disk on fire")
	var got []string
	for item, err := range Pack(Lines(io.MultiReader(strings.NewReader("1\n2\n3\n"), iotest.ErrReader(broken)), '\n', ""), 2) {
		if err != nil {
			got = append(got, "error")
			continue
		}
		got = append(got, strings.Join(item.Columns, "|"))
	}
	assert.Equal(t, []string{"1|2", "3", "error"}, got)
}
