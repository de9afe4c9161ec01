package ame

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// Rank 0 hears what each rank says of itself. When it does not admit one, all
// that have come get its reason, that one too, and at once.
func TestAdmit(t *testing.T) {
	for name, refused := range map[string]int{"all": -1, "rank 2 not": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				configs := overMemory(t, 4)
				for rank := range configs {
					configs[rank].Claim = []byte(strings.Repeat("x", rank))
				}
				var mu sync.Mutex
				claims := map[int]int{}
				configs[0].Admit = func(rank int, claim []byte) error {
					mu.Lock()
					defer mu.Unlock()
					claims[rank] = len(claim)
					if rank == refused {
						return errors.New("runs something else")
					}
					return nil
				}
				if refused >= 0 {
					configs = configs[:3] // rank 3 never comes
				}
				// Who comes after rank 0 has ended finds nobody.
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				comms, errs := start(ctx, configs)
				if refused < 0 {
					noErrors(t, errs)
					assert.Equal(t, map[int]int{1: 1, 2: 2, 3: 3}, claims)
					closeAll(comms)
					return
				}
				assert.ErrorIs(t, errs[0], ErrRefused)
				for _, rank := range []int{0, 2} {
					assert.EqualError(t, errs[rank], fmt.Sprintf("ame: connect: rank %d: rank 2 on nodec: runs something else", rank))
				}
			})
		})
	}
}
