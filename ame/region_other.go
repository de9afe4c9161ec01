//go:build !linux

package ame

import "errors"

// region is memory that processes of this node share; here there is none.
type region struct{ bytes []byte }

func newRegion(int) (*region, memoryOffer, error) { return nil, memoryOffer{}, errors.ErrUnsupported }

func openRegion(int, memoryOffer, int) (*region, error) { return nil, errors.ErrUnsupported }

func (*region) close() {}
func (*region) unmap() {}

func yieldCPU() {}
