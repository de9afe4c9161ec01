package dlp

import (
	"context"
	"errors"
	"reflect"
)

// WaitAll waits for all of the Requests, which may be of any type and Comm, and
// returns what Wait says of each, in their order. The error joins those of all
// that have failed. When ctx ends, those that are not done go on, as of Wait.
// A nil Request is done and has an empty Status.
func WaitAll(ctx context.Context, requests ...*Request) ([]Status, error) {
	all := make([]Status, len(requests))
	var errs []error
	for i, r := range requests {
		if r == nil {
			continue
		}
		var err error
		if all[i], err = r.Wait(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return all, errors.Join(errs...)
}

// WaitAny waits until one of the Requests is done, and returns its index and
// what Wait says of it. It passes over those that are nil or have been waited
// for, so that called again with the same Requests it returns another one. The
// index is -1, with an error, when ctx ends before, and when none is left.
func WaitAny(ctx context.Context, requests ...*Request) (int, Status, error) {
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())}}
	var waiting []int
	for i, r := range requests {
		if r == nil || r.waited.Load() {
			continue
		}
		select {
		case <-r.done:
			s, err := r.result()
			return i, s, err
		default:
		}
		waiting = append(waiting, i)
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(r.done)})
	}
	if len(waiting) == 0 {
		return -1, Status{}, errNoneLeft
	}
	chosen, _, _ := reflect.Select(cases)
	if chosen == 0 {
		return -1, Status{}, requests[waiting[0]].errorf(context.Cause(ctx))
	}
	i := waiting[chosen-1]
	s, err := requests[i].result()
	return i, s, err
}

// errNoneLeft is of a WaitAny that has nothing to wait for.
var errNoneLeft = errors.New("dlp: wait any: every request has been waited for")

// SendRecv sends v to rank dest and receives a message of rank source at the
// same time, as Send and Recv do: ranks that exchange values of any size in this
// way do not wait for each other for ever.
//
// A rank, tag or type that does not work, or a ctx that has ended, is an error
// before anything is sent or received. After another one either half may have been done. v may be changed
// when there was none.
func SendRecv[T any](ctx context.Context, c *Comm, v T, dest, sendTag, source, recvTag int) (T, Status, error) {
	var got, none T
	var status Status
	if c != nil && ctx.Err() != nil {
		return none, status, c.errorf("send recv", context.Cause(ctx))
	}
	both := []*Request{Irecv(c, &got, source, recvTag)}
	if !both[0].failed() {
		both = append(both, Isend(c, v, dest, sendTag))
	}
	for range both {
		i, s, err := WaitAny(ctx, both...)
		if err != nil {
			for _, r := range both {
				r.Cancel()
				r.settle()
			}
			return none, Status{}, err
		}
		if i == 0 {
			status = s
		}
	}
	return got, status, nil
}
