package reg

import (
	"context"
	"strings"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
)

// exclusions keep registrations out of a write, by id or by name.
type exclusions struct {
	changes bool // of registrations that are there, else new ones
	regIDs  map[string]*cmdutil.Exclusion
	names   map[string]*cmdutil.Exclusion // in lower case
	all     []*cmdutil.Exclusion
}

// exclusions reads the lists of them; nil when there are none, or when they
// were left out when the job began.
func (o *writeOptions) exclusions(changes bool) (*exclusions, error) {
	if len(o.exclude) == 0 || o.f.Resuming() {
		return nil, nil
	}
	if o.from == "" {
		return nil, exit.Usagef("", "--exclude goes with --from")
	}
	x := &exclusions{changes, map[string]*cmdutil.Exclusion{}, map[string]*cmdutil.Exclusion{}, nil}
	columns := []string{"regid", "fqdn"}
	if !changes {
		columns = columns[1:]
	}
	for _, path := range o.exclude {
		if path == "-" && o.from == "-" {
			return nil, exit.Usagef("", "--from and --exclude cannot both read standard input")
		}
		data, err := o.f.ReadInput(path, maxDevices)
		if err != nil {
			return nil, err
		}
		err = cmdutil.EachExcludedRow(cmdutil.InputName(path), data, columns, func(e cmdutil.Entry, cells map[string]string) error {
			by, name := x.regIDs, cells["regid"]
			if name == "" {
				by, name = x.names, strings.ToLower(cells["fqdn"])
			}
			switch {
			case name == "":
				return exit.Usagef("", "no registration is named")
			case by[name] == nil: // named twice, it is excluded as before
				by[name] = &cmdutil.Exclusion{Entry: e}
				x.all = append(x.all, by[name])
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return x, nil
}

// find looks the excluded names up, for devices that are named by their ids.
func (x *exclusions) find(ctx context.Context, runner *ops.Runner, at ops.RegistrationPlace, devices []device) error {
	if x == nil || len(devices) == 0 || devices[0].named != "" {
		return nil
	}
	for name, one := range x.names {
		named, err := runner.RegistrationsNamed(ctx, at, name)
		if err != nil {
			return err
		}
		for _, reg := range named {
			if x.regIDs[reg.RegID] == nil {
				x.regIDs[reg.RegID] = one
			}
		}
	}
	return nil
}

// of is what excludes a device; nil: nothing does.
func (x *exclusions) of(d device) *cmdutil.Exclusion {
	name := d.named
	if !x.changes {
		name = d.in.FQDN
	}
	for _, one := range []*cmdutil.Exclusion{x.regIDs[d.in.RegID], x.names[strings.ToLower(name)]} {
		if one != nil {
			one.Used = true
			return one
		}
	}
	return nil
}

// leaveOut takes what is excluded out of devices, and out of what was read of
// them, when that was.
func (x *exclusions) leaveOut(devices []device, before []*cmapi.Registration) (kept []device, keptBefore []*cmapi.Registration, out []cmdutil.KeptOut) {
	if x == nil {
		return devices, before, nil
	}
	for i, d := range devices {
		if one := x.of(d); one != nil {
			key := d.in.RegID
			if key == "" {
				key = d.name()
			}
			out = append(out, cmdutil.KeptOut{Item: bulk.Item{Key: key, Line: d.line, Input: d.named}, Why: one.Why})
			continue
		}
		kept = append(kept, d)
		if before != nil {
			keptBefore = append(keptBefore, before[i])
		}
	}
	return kept, keptBefore, out
}

func (x *exclusions) tell(f *cmdutil.Factory) {
	if x != nil {
		f.TellUnused(x.all)
	}
}
