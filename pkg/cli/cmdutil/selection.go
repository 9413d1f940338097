package cmdutil

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/exit"
)

// Selection is how a write is told which certificates: as arguments, from a
// list, by a search or by their key; exactly one of these. Some of them may be
// excluded.
type Selection struct {
	Args      []string
	From      string
	As        ListAs
	Search    string
	LeakedKey string

	Exclude     []string // lists
	SkipInvalid bool

	// Reason is the word of the reason for what has none of its own, Reasons
	// whether a list may give one for each.
	Reason  string
	Reasons bool

	ways string // to name certificates, for hints
}

// AddListFlags adds --from and --as.
func AddListFlags(cmd *cobra.Command, s *Selection) {
	fs := cmd.Flags()
	s.ways = "name certificates as arguments or with --from FILE"
	fs.StringVar(&s.From, "from", "", "read the certificates from a list `file`, - for standard input: certids, serials, CSV with a header, JSON records, PEM, DER or PKCS#7; of a folder, its certificate files")
	EnumFlag(cmd, &s.As, "as", "what bare lines of a list, or bare arguments, are", []string{string(AsID), string(AsSerial)}, OneOf[ListAs](string(AsID), string(AsSerial)))
}

// AddSelectionFlags adds all flags that name certificates.
func AddSelectionFlags(cmd *cobra.Command, s *Selection) {
	AddListFlags(cmd, s)
	s.ways += ", --search FILTERS or --leaked-key FILE"
	fs := cmd.Flags()
	fs.StringVar(&s.Search, "search", "", "take what a search finds, all of it: `filters` as \"cmctl cert search\" has them, in one word")
	fs.StringVar(&s.LeakedKey, "leaked-key", "", "take every certificate of a key: `file` with the key, its public half, a certificate or a CSR")
	fs.StringArrayVar(&s.Exclude, "exclude", nil, "leave out the certificates of a list `file`; what stands behind a certid, or in the column why, is counted as why; repeatable")
	fs.BoolVar(&s.SkipInvalid, "skip-invalid", false, "leave out lines of the list that are wrong, or whose serial, record or certificate is not found; then it ends with 3 at best")
}

// one refuses anything but exactly one way to select.
func (s *Selection) one() error {
	var ways []string
	for _, w := range []struct {
		name string
		used bool
	}{{"arguments", len(s.Args) > 0}, {"--from", s.From != ""}, {"--search", s.Search != ""}, {"--leaked-key", s.LeakedKey != ""}} {
		if w.used {
			ways = append(ways, w.name)
		}
	}
	switch {
	case len(ways) == 0:
		return exit.Usagef(s.ways, "no certificate is named")
	case len(ways) > 1:
		return exit.Usagef(s.ways, "both %s are given", strings.Join(ways, " and "))
	case s.SkipInvalid && s.From == "":
		return exit.Usagef("", "--skip-invalid goes with --from")
	case s.From == "-" && slices.Contains(s.Exclude, "-"):
		return exit.Usagef("", "--from and --exclude cannot both read standard input")
	case slices.Contains(s.Exclude, "-") && slices.Contains(s.Exclude[slices.Index(s.Exclude, "-")+1:], "-"):
		return exit.Usagef("", "--exclude can read standard input once")
	}
	return nil
}

// ParseArgs reads certificates named as arguments: certids or serials.
func ParseArgs(args []string, as ListAs) ([]Entry, error) {
	entries := make([]Entry, len(args))
	for i, a := range args {
		e, err := ParseEntry(strings.TrimSpace(a), as)
		if err != nil {
			return nil, exit.Usagef(listHint, "%w", err)
		}
		entries[i] = e
	}
	return entries, nil
}

// Entries are all of what arguments or a list name, for what keeps it anyway.
func (s *Selection) Entries(f *Factory) ([]Entry, error) {
	if err := s.one(); err != nil {
		return nil, err
	}
	if s.From == "" {
		return ParseArgs(s.Args, s.As)
	}
	ls, err := f.OpenLists(s.From, s.As)
	if err != nil {
		return nil, err
	}
	defer ls.Close()
	var entries []Entry
	err = ls.Each(func(e Entry) error {
		entries = append(entries, e)
		return nil
	})
	if err == nil && len(entries) == 0 {
		err = ls.empty()
	}
	return entries, err
}

// source hands out what was selected, in its order, each with its certid.
type source func(ctx context.Context, emit func(bulk.Item, bulk.Facts) error) error

// Selected is what was selected, read through and found right.
type Selected struct {
	s      *Selection
	from   source
	named  int // how many entries the officer named; 0: a search tells
	picked Picked
	close  func()
}

// One says that a single certificate is named.
func (s *Selected) One() bool { return s.named == 1 }

// Close gives up what was kept to read it.
func (s *Selected) Close() { s.close() }

// Open reads what the officer wrote to its end, before the gateway is asked for
// anything. Everything that is wrong with it is told at once.
func (s *Selection) Open(f *Factory) (*Selected, error) {
	if err := s.one(); err != nil {
		return nil, err
	}
	sel := &Selected{s: s, close: func() {}}
	var err error
	switch {
	case s.Search != "":
		sel.from, err = s.bySearch(f)
	case s.LeakedKey != "":
		sel.from, err = s.byKey(f)
	case s.From != "":
		err = sel.openLists(f)
	default:
		var entries []Entry
		if entries, err = ParseArgs(s.Args, s.As); err == nil {
			err = s.needReason()
		}
		sel.named, sel.from = len(entries), sel.byEntry(f, allOf(entries))
	}
	return sel, err
}

func (s *Selected) openLists(f *Factory) error {
	ls, err := f.OpenLists(s.s.From, s.s.As)
	if err != nil {
		return err
	}
	if s.named, err = s.s.check(f, ls, &s.picked); err != nil {
		ls.Close()
		return err
	}
	s.close = ls.Close
	s.from = s.byEntry(f, func(emit func(Entry) error) error {
		_, err := ls.each(emit) // what is wrong was told
		return err
	})
	return nil
}

// Fill puts what was selected into a plan, in the order of the input. Certids
// alone cost no call. The plan is good for nothing when it ends with an error.
func (s *Selected) Fill(ctx context.Context, f *Factory, limits Limits, sink bulk.Sink) (*Picked, error) {
	p := &s.picked
	out, err := s.s.exclusions(ctx, f)
	if err != nil {
		return nil, err
	}
	torn := problems{hint: "which reason is meant? Keep one of the lines"}
	err = s.from(ctx, func(it bulk.Item, facts bulk.Facts) error {
		if x := out.of(it.Key); x != nil {
			if x.Used {
				p.Repeats++
				return nil
			}
			x.Used = true
			return sink.Exclude(it, x.Why)
		}
		added, err := sink.Add(it, facts)
		if err != nil {
			return err
		}
		if !added {
			p.Repeats++
			if other := p.wanted(it); other != it.Group {
				torn.add(place(InputName(s.s.From), it.Line), "certid %s is named before with another reason: %s there, %s here", it.Key, other, it.Group)
			}
			return nil
		}
		p.want(it)
		p.add(it, facts)
		if s.s.From == "-" && p.Items > manyItems && limits.Max < 0 && limits.Expect < 0 {
			return exit.Usagef("say how many are meant with --expect N or --max N", "more than %d items come through standard input", manyItems)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := torn.err(); err != nil {
		return nil, err
	}
	tellRepeats(f, p.Repeats)
	out.tell(f)
	return p, nil
}

func (s *Selection) needReason() error {
	if s.Reasons && s.Reason == "" {
		return exit.Usagef("give one with --reason, or a CSV list a column reason", "no reason is given")
	}
	return nil
}

// check reads lists through, before anything is looked up.
func (s *Selection) check(f *Factory, ls *Lists, p *Picked) (n int, err error) {
	own := 0
	var other *Entry // has another reason than all are to be revoked for
	without := problems{hint: "give one with --reason for those that have none"}
	bad, err := ls.each(func(e Entry) error {
		n++
		switch {
		case e.Reason == "" && s.Reasons && s.Reason == "":
			without.add(place(e.List, e.Line), "no reason is given")
		case e.Reason != "":
			own++
			if other == nil && e.Reason != s.Reason {
				other = &e
			}
		}
		return nil
	})
	ls.tellColumns(f)
	switch {
	case err != nil:
		return n, bad.with(err)
	case bad.n > 0 && !s.SkipInvalid:
		return n, bad.err()
	case n == 0 && bad.n == 0:
		return n, ls.empty()
	case n == 0:
		return n, exit.Usagef(bad.hint, "%s: no line is left:\n%s", ls.name, bad.text())
	case own == 0 && ls.past() && s.needReason() != nil:
		return n, exit.Usagef("say with --reason what they are to be revoked for now", "%s: no reason is given: beside status or revocationtime, the reason in a list is that of the past", ls.name)
	case own == 0 && s.needReason() != nil:
		return n, s.needReason()
	case without.n > 0:
		return n, without.err()
	case s.Reasons && s.Reason != "" && own == n && other != nil:
		return n, exit.Usagef("leave --reason out, or the column reason of the list", "%s--reason %s is used for no line, since each has a reason of its own: %s", place(other.List, other.Line), s.Reason, other.Reason)
	case !s.Reasons && own > 0:
		f.Notice("the list gives reasons, which this has no use for")
	}
	if s.Reasons && own > 0 {
		p.groups = map[string]*bulk.KeySet{}
	}
	p.leftOut(f, bad)
	return n, nil
}

// byEntry looks up what is named otherwise than by certid.
func (s *Selected) byEntry(f *Factory, each func(func(Entry) error) error) source {
	return func(ctx context.Context, emit func(bulk.Item, bulk.Facts) error) error {
		r := &resolver{client: f.Client, lax: s.s.SkipInvalid}
		err := r.run(ctx, each, func(found resolved) error {
			it := found.item()
			it.Group = s.s.group(found.Reason)
			return emit(it, found.facts)
		})
		if err == nil {
			err = r.err()
		}
		s.picked.leftOut(f, r.left)
		return err
	}
}

// group is the word of the reason of an item that gives this one itself.
func (s *Selection) group(own string) string {
	if s.Reasons && own != "" {
		return own
	}
	return s.Reason
}
