package ame

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// brackets shows how texts were folded.
func brackets(low, high Payload) (Payload, error) {
	return text("(" + string(low.Body) + string(high.Body) + ")"), nil
}

// bracketed is what brackets gives for texts in the order of the contract.
func bracketed(texts []string) string {
	if len(texts) == 1 {
		return texts[0]
	}
	power := 1
	for 2*power < len(texts) {
		power *= 2
	}
	return "(" + bracketed(texts[:power]) + bracketed(texts[power:]) + ")"
}

// prefixed is what Scan gives for the last of some texts.
func prefixed(texts []string) string {
	window := append([]string(nil), texts...)
	for d := 1; d < len(texts); d *= 2 {
		for r := len(texts) - 1; r >= d; r-- {
			window[r] = "(" + window[r-d] + window[r] + ")"
		}
	}
	return window[len(window)-1]
}

func TestBrackets(t *testing.T) {
	assert.Equal(t, "(((01)(23))((45)6))", bracketed(strings.Split("0123456", "")))
	for size := range 18 {
		for root := range size {
			owners := map[int]bool{}
			for rank := range size {
				spans := span{0, size}.above(rank)
				for _, s := range spans {
					owners[s.owner(root)] = true
				}
				if size > 1 {
					assert.Equal(t, span{0, size}, spans[len(spans)-1])
					assert.Equal(t, root, spans[len(spans)-1].owner(root))
				}
			}
			assert.LessOrEqual(t, len(owners), (size+1)/2)
		}
	}
}

// All collectives, with all numbers of ranks and all roots, against what one
// process comes to. The texts show the order and the brackets.
func TestCollectivesAgainstAModel(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 5, 7, 8, 13, 16, 17} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			comms := connectAll(t, overMemory, size)
			var texts []string
			for rank := range size {
				texts = append(texts, fmt.Sprint(rank, " "))
			}
			noErrors(t, each(comms, func(c *Comm) error { return checkAgainst(t, c, texts) }))
		})
	}
}

func checkAgainst(t *testing.T, c *Comm, texts []string) error {
	ctx, size, own := t.Context(), c.Size(), text(texts[c.Rank()])
	for root := range size {
		which := Call{Root: root}
		p, err := c.Reduce(ctx, which, own, brackets)
		if err != nil {
			return err
		}
		want := ""
		if c.Rank() == root {
			want = bracketed(texts)
		}
		assert.Equal(t, want, string(p.Body))

		if p, err = c.Bcast(ctx, which, own); err != nil {
			return err
		}
		assert.Equal(t, texts[root], string(p.Body))

		parts := make([]Payload, size)
		for dest := range parts {
			parts[dest] = text(texts[c.Rank()] + "to " + texts[dest])
		}
		if p, err = c.Scatter(ctx, which, parts); err != nil {
			return err
		}
		assert.Equal(t, texts[root]+"to "+texts[c.Rank()], string(p.Body))
	}
	p, err := c.Allreduce(ctx, Call{}, own, brackets)
	if err != nil {
		return err
	}
	assert.Equal(t, bracketed(texts), string(p.Body))
	if p, err = c.Scan(ctx, Call{}, own, brackets); err != nil {
		return err
	}
	assert.Equal(t, prefixed(texts[:c.Rank()+1]), string(p.Body))
	if p, err = c.Exscan(ctx, Call{}, own, brackets); err != nil {
		return err
	}
	if c.Rank() > 0 {
		assert.Equal(t, prefixed(texts[:c.Rank()]), string(p.Body))
	} else {
		assert.Empty(t, p)
	}
	return checkListsAgainst(t, ctx, c, texts)
}

// checkListsAgainst is checkAgainst for the collectives that have a payload for
// each rank.
func checkListsAgainst(t *testing.T, ctx context.Context, c *Comm, texts []string) error {
	all, err := c.Allgather(ctx, Call{}, text(texts[c.Rank()]))
	if err != nil {
		return err
	}
	parts := make([]Payload, c.Size())
	for rank := range texts {
		assert.Equal(t, texts[rank], string(all[rank].Body))
		parts[rank] = text(texts[c.Rank()] + texts[rank])
	}
	if all, err = c.Alltoall(ctx, Call{}, parts); err != nil {
		return err
	}
	var column []string
	for rank := range texts {
		column = append(column, texts[rank]+texts[c.Rank()])
		assert.Equal(t, column[rank], string(all[rank].Body))
	}
	p, err := c.ReduceScatter(ctx, Call{}, parts, brackets)
	assert.Equal(t, bracketed(column), string(p.Body))
	return err
}

// A ctx that ends in the middle ends the collective on all ranks.
func TestFoldsCancelledInTheMiddle(t *testing.T) {
	one := func(c *Comm) []Payload { return make([]Payload, c.Size()) }
	for name, call := range map[string]func(ctx context.Context, c *Comm) error{
		"reduce": func(ctx context.Context, c *Comm) error {
			_, err := c.Reduce(ctx, Call{}, text("x"), brackets)
			return err
		},
		"allreduce": func(ctx context.Context, c *Comm) error {
			_, err := c.Allreduce(ctx, Call{}, text("x"), brackets)
			return err
		},
		"scan": func(ctx context.Context, c *Comm) error {
			_, err := c.Scan(ctx, Call{}, text("x"), brackets)
			return err
		},
		"exscan": func(ctx context.Context, c *Comm) error {
			_, err := c.Exscan(ctx, Call{}, text("x"), brackets)
			return err
		},
		"allgather": func(ctx context.Context, c *Comm) error { _, err := c.Allgather(ctx, Call{}, text("x")); return err },
		"alltoall":  func(ctx context.Context, c *Comm) error { _, err := c.Alltoall(ctx, Call{}, one(c)); return err },
		"reduce scatter": func(ctx context.Context, c *Comm) error {
			_, err := c.ReduceScatter(ctx, Call{}, one(c), brackets)
			return err
		},
	} {
		for _, size := range []int{3, 4} {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					comms := connectAll(t, overMemory, size)
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					errs := each(comms, func(c *Comm) error {
						if c.Rank() == 1 { // never comes
							_, err := c.Recv(t.Context(), AnySource, AnyTag)
							return err
						}
						if err := call(ctx, c); err != nil {
							return err
						}
						_, err := c.Recv(t.Context(), AnySource, AnyTag)
						return err
					})
					for rank, err := range errs {
						require.Error(t, err, "rank %d", rank)
						assert.ErrorContains(t, err, context.DeadlineExceeded.Error(), "rank %d", rank)
					}
				})
			})
		}
	}
}
