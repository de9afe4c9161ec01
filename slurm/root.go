package slurm

import "strings"

// RootHost returns the node that task 0 runs on. known is false where the
// environment does not tell; task 0 is then on any of Candidates.
//
// Slurm never says it outright: SLURM_STEP_NODELIST is sorted by name, and
// SLURM_SRUN_COMM_HOST and SLURM_LAUNCH_NODE_IPADDR are where srun runs. Task 0
// is on the first node of the sorted list except in two cases. With the
// distribution "arbitrary" it is anywhere. In a heterogeneous step it is on the
// first node of the first component that takes part.
//
// The answer is a strong hint and no more. Components that run side by side on
// the nodes of one ordinary job (srun a : b) are not visible in the environment,
// but where the number of this node does not fit the sorted list, the list is in
// another order than the nodes, and known is false. Whoever connects must ask
// the other end who it is.
func (s *Step) RootHost() (node string, known bool) {
	if s.rootIsHere && s.Node != "" {
		return s.Node, true
	}
	if strings.HasPrefix(s.Distribution, "arbitrary") {
		return "", false
	}
	if s.HetSize > 1 {
		return s.hetRoot()
	}
	if listed := nth(s.Nodes, s.NodeID); s.NodeID >= 0 && listed != "" && s.Node != "" && listed != s.Node {
		return "", false
	}
	node = s.Nodes.First()
	return node, node != ""
}

// hetRoot goes through the components in their order. A step need not use all
// components of its job, nor all nodes of a component.
func (s *Step) hetRoot() (node string, known bool) {
	inStep := make(map[string]bool)
	for name := range s.Nodes.All() {
		if len(inStep) == maxHosts {
			return "", false
		}
		inStep[name] = true
	}
	for _, component := range s.HetNodes {
		if component.Len() > maxHosts {
			return "", false
		}
		for name := range component.All() {
			if inStep[name] {
				return name, true
			}
		}
	}
	return "", false
}

// Candidates returns the nodes that task 0 can be on, each once, the most
// likely first: the one that RootHost names, then the nodes of the step, or
// where Slurm does not tell them those of the job. It is cut at limit names.
func (s *Step) Candidates(limit int) []string {
	var nodes []string
	seen := make(map[string]bool)
	add := func(name string) {
		if name != "" && !seen[name] && len(nodes) < limit {
			seen[name] = true
			nodes = append(nodes, name)
		}
	}
	root, _ := s.RootHost()
	add(root)
	lists := []Hostlist{s.Nodes}
	if s.Nodes.First() == "" {
		lists = append([]Hostlist{s.JobNodes}, s.HetNodes...)
	}
	for _, list := range lists {
		for name := range list.All() {
			if len(nodes) == limit {
				return nodes
			}
			add(name)
		}
	}
	add(s.Node)
	return nodes
}
