package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSlotsOf(t *testing.T) {
	four := share{Host: "a", CPUs: []int{0, 4, 1, 5}, Many: 4, GPUs: []string{"0", "1", "2", "3"}}
	other := share{Host: "b", CPUs: []int{0, 4, 1, 5}, Many: 4}
	bound := share{Host: "a", CPUs: []int{2, 3}, Many: 2}
	quota := share{Host: "c", CPUs: []int{0, 1, 2, 3}, Many: 2}
	plain := options{cpusPerItem: 1, bind: true}
	tests := map[string]struct {
		shares []share
		rank   int
		o      options
		want   []slot
	}{
		"alone":                   {[]share{four}, 0, plain, []slot{{cpus: []int{0}}, {cpus: []int{4}}, {cpus: []int{1}}, {cpus: []int{5}}}},
		"a core for each":         {[]share{four}, 0, options{cpusPerItem: 2, bind: true}, []slot{{cpus: []int{0, 4}}, {cpus: []int{1, 5}}}},
		"more than there are":     {[]share{four}, 0, options{cpusPerItem: 8, bind: true}, []slot{{}}},
		"not bound":               {[]share{four}, 0, options{cpusPerItem: 2}, []slot{{}, {}}},
		"as many as one likes":    {[]share{four}, 0, options{cpusPerItem: 1, bind: true, slots: 5}, make([]slot, 5)},
		"fewer":                   {[]share{four}, 0, options{cpusPerItem: 1, bind: true, slots: 1}, []slot{{cpus: []int{0}}}},
		"shared by two, first":    {[]share{four, other, four}, 0, plain, []slot{{cpus: []int{0}}, {cpus: []int{4}}}},
		"shared by two, second":   {[]share{four, other, four}, 2, plain, []slot{{cpus: []int{1}}, {cpus: []int{5}}}},
		"another node":            {[]share{four, other, four}, 1, options{cpusPerItem: 4, bind: true}, []slot{{cpus: []int{0, 4, 1, 5}}}},
		"bound by the launcher":   {[]share{four, bound}, 1, plain, []slot{{cpus: []int{2}}, {cpus: []int{3}}}},
		"more ranks than CPUs":    {[]share{bound, bound, bound}, 1, plain, []slot{{cpus: []int{2}}}},
		"no processor left":       {[]share{bound, bound, bound}, 0, plain, []slot{{}}},
		"a quota":                 {[]share{quota}, 0, plain, []slot{{cpus: []int{0}}, {cpus: []int{1}}}},
		"GPUs":                    {[]share{four}, 0, options{cpusPerItem: 1, gpusPerItem: 2}, []slot{{gpus: []string{"0", "1"}}, {gpus: []string{"2", "3"}}}},
		"GPUs, shared, second":    {[]share{four, four}, 1, options{cpusPerItem: 1, gpusPerItem: 1, bind: true}, []slot{{cpus: []int{1}, gpus: []string{"2"}}, {cpus: []int{5}, gpus: []string{"3"}}}},
		"CPUs are fewer than GPU": {[]share{four}, 0, options{cpusPerItem: 4, gpusPerItem: 1}, []slot{{gpus: []string{"0"}}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := slotsOf(test.shares, test.rank, &test.o)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
	_, err := slotsOf([]share{other}, 0, &options{cpusPerItem: 1, gpusPerItem: 1})
	assert.ErrorContains(t, err, "rank 0 on b has 0 GPUs")
}

func TestGPUVariable(t *testing.T) {
	env := func(name string) (string, bool) {
		return map[string]string{"ROCR_VISIBLE_DEVICES": "1,3"}[name], name == "ROCR_VISIBLE_DEVICES"
	}
	name, gpus := gpuVariable(env)
	assert.Equal(t, "ROCR_VISIBLE_DEVICES", name)
	assert.Equal(t, []string{"1", "3"}, gpus)
	name, gpus = gpuVariable(func(string) (string, bool) { return "", false })
	assert.Empty(t, name)
	assert.Empty(t, gpus)
}
