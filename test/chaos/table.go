package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// table is memory that the ranks and their tormentor have in common: what each
// rank does, and what has been done with each item. It outlives a killed rank.
type table struct {
	Ranks [ranks]struct {
		PID   atomic.Int64
		Item  atomic.Int64 // that it works on, plus one; 0: none
		Begun atomic.Int64 // how many
		_     [5]int64     // to a cache line
	}
	Began [items]atomic.Uint32 // bit r: rank r has begun it
	Ended [items]atomic.Uint32 // bit r: rank r has come to its end
}

// newTable makes the file that holds a table.
func newTable(path string) (*table, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := file.Truncate(int64(unsafe.Sizeof(table{}))); err != nil {
		return nil, err
	}
	return mapTable(file)
}

func openTable(path string) (*table, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return mapTable(file)
}

func mapTable(file *os.File) (*table, error) {
	memory, err := syscall.Mmap(int(file.Fd()), 0, int(unsafe.Sizeof(table{})), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%s: mmap: %w", file.Name(), err)
	}
	return (*table)(unsafe.Pointer(&memory[0])), nil
}

// close gives the memory back.
func (t *table) close() {
	_ = syscall.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(t)), unsafe.Sizeof(*t))) // mapped by mapTable
}

// begin notes that a rank works on an item.
func (t *table) begin(rank, item int) {
	t.Began[item].Or(1 << rank)
	t.Ranks[rank].Begun.Add(1)
	t.Ranks[rank].Item.Store(int64(item) + 1)
}

// end notes that it has come to its end.
func (t *table) end(rank, item int) {
	t.Ended[item].Or(1 << rank)
	t.Ranks[rank].Item.Store(0)
}

// begun is how many items all ranks together have begun.
func (t *table) begun() (n int) {
	for rank := range t.Ranks {
		n += int(t.Ranks[rank].Begun.Load())
	}
	return n
}

// at is the item that a rank works on.
func (t *table) at(rank int) (item int, ok bool) {
	item = int(t.Ranks[rank].Item.Load()) - 1
	return item, item >= 0
}

// with returns a rank that works on an item.
func (t *table) with(item int) (rank int, ok bool) {
	for rank := range t.Ranks {
		if now, ok := t.at(rank); ok && now == item {
			return rank, true
		}
	}
	return 0, false
}
