package bulk

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Facts are what the input tells of an item besides its name; empty: not told.
type Facts struct {
	State        string // "active", "on hold", "revoked"
	Issuer       string
	Organisation string
}

// Sink takes the items of a plan as they are resolved, in their order.
type Sink interface {
	// Add takes one; false when its Key is in the plan, or excluded, already.
	// Index is set here.
	Add(Item, Facts) (bool, error)
	// Exclude notes an item that the officer keeps out, and why.
	Exclude(Item, string) error
}

// Summary counts a plan's items by what the input tells of them.
type Summary struct {
	States        map[string]int `json:"states,omitempty"`
	Issuers       map[string]int `json:"issuers,omitempty"`
	Organisations map[string]int `json:"organisations,omitempty"`
	Groups        map[string]int `json:"groups,omitempty"`
	Exclusions    map[string]int `json:"exclusions,omitempty"` // by why
}

// IsZero is for omitzero.
func (s Summary) IsZero() bool {
	return len(s.States)+len(s.Issuers)+len(s.Organisations)+len(s.Groups)+len(s.Exclusions) == 0
}

// Names are the keys of one of a Summary's counts, the most frequent first.
func Names(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		if a < b {
			return -1
		}
		return 1
	})
}

// maxNames is how many issuers or organisations are told apart.
const maxNames = 200

// otherNames is what the rest is counted under.
const otherNames = "(others)"

// chunkItems is how many items one record holds: a run reads a record at a
// time, so that a plan of a million costs no more memory than one of itemsKept.
const chunkItems = 256

// itemsKept is how many first items of a plan are kept in memory as well: some
// MiB that save reading them back, to send them and to tell what became of them.
const itemsKept = 1 << 16

// Builder collects the items of a plan in its journal, and freezes it.
type Builder struct {
	out      *appender
	chunks   []chunk
	chunk    []planned
	skip     []excluded
	n        int
	excluded int
	keys     *KeySet
	keptOut  map[string]struct{}
	sum      hash.Hash
	summary  Summary
	first    int            // items that go alone
	groups   map[string]int // of those
	err      error
}

func newBuilder(out *appender) (*Builder, error) {
	b := &Builder{
		out: out, keys: NewKeySet(), keptOut: map[string]struct{}{}, groups: map[string]int{}, sum: sha256.New(),
		summary: Summary{States: map[string]int{}, Issuers: map[string]int{}, Organisations: map[string]int{}, Groups: map[string]int{}, Exclusions: map[string]int{}},
	}
	return b, out.append(record{Type: recStart, Version: journalVersion}, false)
}

// KeySet is a set of keys. Nearly all keys are numbers, and near each other: 64
// of them share a word.
type KeySet struct {
	numbers map[uint64]uint64
	names   map[string]struct{}
}

// NewKeySet makes an empty one.
func NewKeySet() *KeySet { return &KeySet{map[uint64]uint64{}, map[string]struct{}{}} }

// Has tells whether a key is in the set.
func (s *KeySet) Has(key string) (ok bool) {
	if n, isNumber := number(key); isNumber {
		return s.numbers[n/64]&(1<<(n%64)) != 0
	}
	_, ok = s.names[key]
	return ok
}

// Add notes a key and tells whether it is new.
func (s *KeySet) Add(key string) bool {
	if s.Has(key) {
		return false
	}
	if n, ok := number(key); ok {
		s.numbers[n/64] |= 1 << (n % 64)
	} else {
		s.names[key] = struct{}{}
	}
	return true
}

// number is a key as a number that writes as the key does.
func number(key string) (uint64, bool) {
	n, err := strconv.ParseUint(key, 10, 64)
	return n, err == nil && (key == "0" || key[0] != '0')
}

// Has tells whether a key is in the plan.
func (b *Builder) Has(key string) bool {
	_, out := b.keptOut[key]
	return !out && b.keys.Has(key)
}

// Add implements Sink.
func (b *Builder) Add(it Item, f Facts) (bool, error) {
	if b.err != nil {
		return false, b.err
	}
	if !b.keys.Add(it.Key) {
		return false, nil
	}
	digest(b.sum, it.Key, it.Group, it.Data)
	b.n++
	count(b.summary.States, f.State)
	count(b.summary.Issuers, f.Issuer)
	count(b.summary.Organisations, f.Organisation)
	count(b.summary.Groups, it.Group)
	if b.n <= b.first {
		b.groups[it.Group]++
	}
	b.chunk = append(b.chunk, planned{Key: it.Key, Line: it.Line, Input: it.Input, Group: it.Group, Data: it.Data})
	if len(b.chunk) == chunkItems {
		b.err = b.flush()
	}
	return true, b.err
}

// Complete gives the item that was added last the data that were not there yet.
func (b *Builder) Complete(data []byte) error {
	if len(b.chunk) == 0 {
		return errors.New("bulk: the item is in the journal already")
	}
	last := &b.chunk[len(b.chunk)-1]
	last.Data, last.Late = data, true
	return nil
}

func count(counts map[string]int, name string) {
	switch _, known := counts[name]; {
	case name == "":
	case !known && len(counts) >= maxNames:
		counts[otherNames]++
	default:
		counts[name]++
	}
}

// Exclude implements Sink.
func (b *Builder) Exclude(it Item, why string) error {
	if b.err != nil || !b.keys.Add(it.Key) {
		return b.err
	}
	b.excluded++
	b.keptOut[it.Key] = struct{}{}
	if why = strings.Join(strings.Fields(why), " "); why == "" { // a line of its own, wherever it is told
		why = "no reason given"
	}
	count(b.summary.Exclusions, why)
	b.skip = append(b.skip, excluded{it.Key, why})
	if len(b.skip) == chunkItems {
		b.err = b.flush()
	}
	return b.err
}

func (b *Builder) flush() error {
	if len(b.chunk) > 0 {
		at := b.out.queued // nobody else writes yet
		if err := b.out.append(record{Type: recItems, Items: b.chunk}, false); err != nil {
			return err
		}
		c := chunk{at: at, size: b.out.queued - at, first: b.n - len(b.chunk), n: len(b.chunk)}
		if b.n <= itemsKept && !slices.ContainsFunc(b.chunk, func(p planned) bool { return len(p.Data) > 0 }) {
			c.items = itemsOf(c.first, b.chunk)
		}
		b.chunks = append(b.chunks, c)
		b.chunk = b.chunk[:0]
	}
	if len(b.skip) > 0 {
		if err := b.out.append(record{Type: recExcluded, Excluded: b.skip}, false); err != nil {
			return err
		}
		b.skip = b.skip[:0]
	}
	return nil
}

// Len is how many items the plan has so far.
func (b *Builder) Len() int { return b.n }

// Summary counts what the plan has so far.
func (b *Builder) Summary() Summary { return b.summary }

// First says, before items are added, that so many of them go alone.
func (b *Builder) First(n int) { b.first = n }

// Requests is how many signed requests the plan takes when nothing is refused:
// the items of one have one group.
func (b *Builder) Requests(batch int) (n int) {
	all := maps.Clone(b.summary.Groups)
	without := b.n // a group that has no name is not counted there
	for _, k := range all {
		without -= k
	}
	all[""] += without
	for group, k := range all {
		first := b.groups[group]
		n += Requests(first, batch) + Requests(k-first, batch)
	}
	return n
}

// Requests is how many requests items of one group take.
func Requests(items, batch int) int { return (items + batch - 1) / batch }

// SHA256 is the digest of the plan so far: over a line "KEY<tab>GROUP" for each
// item, in order; of one that has data, "KEY<tab>GROUP<tab>SHA-256 OF THEM". A
// journal whose items have another is refused.
func (b *Builder) SHA256() string { return hex.EncodeToString(b.sum.Sum(nil)) }

// digest takes an item into the digest of its plan.
func digest(sum hash.Hash, key, group string, data []byte) {
	line := key + "\t" + group
	if len(data) > 0 {
		of := sha256.Sum256(data)
		line += "\t" + hex.EncodeToString(of[:])
	}
	sum.Write([]byte(line + "\n"))
}

// freeze writes the header behind the items: from here on nothing changes.
func (b *Builder) freeze(h *Header) error {
	if b.err != nil {
		return b.err
	}
	if b.n == 0 {
		return exit.Usagef("", "nothing is left to do")
	}
	if err := b.flush(); err != nil {
		return err
	}
	h.Items, h.Excluded, h.SHA256, h.Summary = b.n, b.excluded, b.SHA256(), b.summary
	b.keys, b.keptOut = nil, nil
	return b.out.append(record{Type: recJob, Job: h}, true)
}
