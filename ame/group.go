package ame

// group is the ranks of a communicator. Inside it they have numbers of their
// own, 0 .. size-1; rank always means that of the job.
type group struct {
	self    int         // number of this rank
	size    int         // how many ranks there are
	ranks   []int       // by number; nil: number and rank are the same
	numbers map[int]int // by rank, if ranks is not nil
}

// whole is the group of all ranks of a job.
func whole(self, size int) *group { return &group{self: self, size: size} }

// groupOf is the group of the given ranks, numbered in this order.
func groupOf(self int, ranks []int) *group {
	g := &group{size: len(ranks), ranks: ranks, numbers: make(map[int]int, len(ranks))}
	for number, rank := range ranks {
		g.numbers[rank] = number
	}
	g.self = g.numbers[self]
	return g
}

// rank returns the rank of the job that has a number.
func (g *group) rank(number int) int {
	if g.ranks == nil {
		return number
	}
	return g.ranks[number]
}

// ranksOf returns the ranks of the job that have the given numbers.
func (g *group) ranksOf(numbers []int) []int {
	ranks := make([]int, len(numbers))
	for i, number := range numbers {
		ranks[i] = g.rank(number)
	}
	return ranks
}

// number returns the number of a rank of the job, ok == false if it is not in
// the group.
func (g *group) number(rank int) (number int, ok bool) {
	if g.ranks == nil {
		return rank, rank < g.size
	}
	number, ok = g.numbers[rank]
	return number, ok
}

func (g *group) has(rank int) bool {
	_, ok := g.number(rank)
	return ok
}

// leader is the rank that settles things for all of the group.
func (g *group) leader() int { return g.rank(0) }
