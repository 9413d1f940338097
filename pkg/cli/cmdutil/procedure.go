package cmdutil

import (
	"context"
	"strings"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// FindProcedure turns a procedure's name or id, as the officer gave it, into
// the procedure: writes want its name, registration paths its id.
func FindProcedure(ctx context.Context, c *cmapi.Client, nameOrID string) (cmapi.Procedure, error) {
	list, err := c.Procedures.List(ctx)
	if err != nil {
		return cmapi.Procedure{}, err
	}
	for _, match := range []func(cmapi.Procedure) bool{
		func(p cmapi.Procedure) bool { return p.ID == nameOrID },
		func(p cmapi.Procedure) bool { return p.Name == nameOrID },
		func(p cmapi.Procedure) bool { return strings.EqualFold(p.Name, nameOrID) },
	} {
		for _, p := range list {
			if match(p) {
				return p, nil
			}
		}
	}
	return cmapi.Procedure{}, exit.Usagef("`cmctl proc list` shows those open to this officer", "no procedure has the name or id %q", nameOrID)
}
