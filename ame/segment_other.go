//go:build !linux

package ame

import "errors"

// newSegment fails: here processes meet by messages.
func newSegment(int) (*segment, error) { return nil, errors.ErrUnsupported }

// openSegment fails.
func openSegment(int, memoryOffer, int) (*segment, error) { return nil, errors.ErrUnsupported }
