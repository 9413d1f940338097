package reg

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
)

// readers is how many registrations are looked up at a time.
const readers = 4

// lookUp finds the registrations that a list names by what they are called
// now, and with all also those that it names by their id. It tells all lines
// that name none, or more than one. What it found it returns by index when all
// was asked for.
func lookUp(ctx context.Context, runner *ops.Runner, at ops.RegistrationPlace, from string, devices []device, all bool) ([]*cmapi.Registration, error) {
	found := make([]*cmapi.Registration, len(devices))
	errs := make([]error, len(devices))
	var g errgroup.Group
	g.SetLimit(readers)
	for i := range devices {
		d := &devices[i]
		if !all && d.in.RegID != "" {
			continue
		}
		g.Go(func() error {
			if found[i], errs[i] = d.find(ctx, runner, at); errs[i] == nil {
				d.in.RegID = found[i].RegID
			}
			if exit.Of(errs[i]) != exit.NotFound {
				return errs[i]
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	switch {
	case from == "" && !all:
		return nil, nil
	case from == "":
		return found, errs[0]
	}
	lines := map[string]int{}
	for i := range devices {
		d := &devices[i]
		switch first := lines[d.in.RegID]; {
		case errs[i] != nil:
			errs[i] = fmt.Errorf("%s:%d: %w", cmdutil.InputName(from), d.line, errs[i])
		case first > 0:
			errs[i] = fmt.Errorf("%s:%d: the registration of line %d", cmdutil.InputName(from), d.line, first)
		default:
			lines[d.in.RegID] = d.line
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, exit.New(exit.NotFound, "nothing was sent; `cmctl reg list` shows the ids, for a column regid", "%w", err)
	}
	if !all {
		return nil, nil
	}
	return found, nil
}

// find reads the registration that is to be changed, by its id or else by its
// name.
func (d *device) find(ctx context.Context, runner *ops.Runner, at ops.RegistrationPlace) (*cmapi.Registration, error) {
	if d.in.RegID != "" {
		return runner.FindRegistration(ctx, at, d.in.RegID)
	}
	named, err := runner.RegistrationsNamed(ctx, at, d.named)
	switch {
	case err != nil:
		return nil, err
	case len(named) != 1:
		return nil, exit.New(exit.NotFound, "", "%s have this name", cmdutil.Plural(len(named), "registration"))
	}
	return &named[0], nil
}
