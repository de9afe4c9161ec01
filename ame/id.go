package ame

import "fmt"

// commID is the number of a communicator: the rank of the job that has given
// it out, in the upper half, and how many that rank had given out before. So
// ranks that make a communicator need nobody else to agree on its number. 0 is
// the communicator of the whole job.
type commID uint64

func newCommID(giver int, count uint32) commID { return commID(giver)<<32 | commID(count) }

func (id commID) giver() uint32 { return uint32(id >> 32) }

func (id commID) count() uint32 { return uint32(id) }

// beside is the number of the communicator beside the one with this number. No
// rank gives out so many that it could be another one's.
func (id commID) beside() commID { return id | 1<<31 }

func (id commID) String() string {
	if id.giver() == 0 {
		return fmt.Sprint(id.count())
	}
	return fmt.Sprintf("%d.%d", id.giver(), id.count())
}
