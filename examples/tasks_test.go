package examples_test

import "testing"

func TestTasks(t *testing.T) {
	runExamples(t, map[string]example{
		"futures": {want: func(int) []string {
			return []string{
				"360 = 2 * 2 * 2 * 3 * 3 * 5",
				"1: an error",
				"1000003 = 1000003",
				"123456789 = 3 * 3 * 3607 * 3803",
				"97 = 97",
			}
		}},
		"pool": {want: func(int) []string {
			return []string{
				"pool: of 3000 numbers, 2919 takes most steps: 216",
				"scatter and gather: of 3000 numbers, 2919 takes most steps: 216",
			}
		}},
	})
}
