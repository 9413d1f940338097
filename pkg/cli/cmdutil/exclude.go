package cmdutil

import (
	"context"
)

// exclusions are the certificates that are kept out.
type exclusions struct {
	byID map[string]*Exclusion
	all  []*Exclusion // in the order of their lists
}

func (x *exclusions) of(certID string) *Exclusion {
	if x == nil {
		return nil
	}
	return x.byID[certID]
}

func (x *exclusions) add(e Entry, certID string) {
	if x.byID[certID] != nil {
		return
	}
	one := &Exclusion{Entry: e}
	x.all = append(x.all, one)
	if certID != "" {
		x.byID[certID] = one
	}
}

// exclusions reads the lists of them. Nothing in one may be wrong, --skip-invalid
// or not: what it fails to name would be written. What the gateway does not
// know cannot be written and matches nothing.
func (s *Selection) exclusions(ctx context.Context, f *Factory) (*exclusions, error) {
	if len(s.Exclude) == 0 {
		return nil, nil
	}
	out := &exclusions{byID: map[string]*Exclusion{}}
	for _, path := range s.Exclude {
		if err := out.read(ctx, f, path, s.As); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (x *exclusions) read(ctx context.Context, f *Factory, path string, as ListAs) error {
	ls, err := f.openExcluded(path, as)
	if err != nil {
		return err
	}
	defer ls.Close()
	r := &resolver{client: f.Client, unknown: func(e Entry) { x.add(e, "") }}
	err = r.run(ctx, ls.Each, func(found resolved) error {
		x.add(found.Entry, found.certID)
		return nil
	})
	if err == nil {
		err = r.err()
	}
	return err
}

// tell names what was excluded in vain.
func (x *exclusions) tell(f *Factory) {
	if x != nil {
		f.TellUnused(x.all)
	}
}
