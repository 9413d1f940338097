// Package spelling tells which word is most likely meant by one that nobody
// knows.
package spelling

import "strings"

// Nearest is the valid word that an unknown one is likely meant to be; "" when
// none is close.
func Nearest(word string, valid []string) string {
	best, least := "", 1+len(word)/4
	for _, v := range valid {
		if d := Distance(strings.ToLower(word), v); d <= least {
			best, least = v, d-1
		}
	}
	return best
}

// Distance is the number of letters to insert, drop, replace or swap with
// their neighbour to get from one word to the other.
func Distance(a, b string) int {
	before := []int(nil)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
