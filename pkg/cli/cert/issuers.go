package cert

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/search"
)

// issuerNoun prints issuing CAs. The tsv columns and their order are contract:
// append only.
var issuerNoun = output.Noun[cmapi.Issuer]{
	Name:   "issuer",
	Schema: "issuer",
	ID:     func(i cmapi.Issuer) string { return i.DN },
	Fields: []output.Field[cmapi.Issuer]{
		{Name: "dn", Value: func(i cmapi.Issuer) string { return i.DN }, Flex: true},
		{Name: "cn", Value: func(i cmapi.Issuer) string { return attributeOf(i, "cn") }, Where: output.NotInTable},
		{Name: "o", Value: func(i cmapi.Issuer) string { return attributeOf(i, "o") }, Where: output.NotInTable},
		{Name: "c", Value: func(i cmapi.Issuer) string { return attributeOf(i, "c") }, Where: output.NotInTable},
	},
}

// attributeOf is the value of one attribute, several joined by commas.
func attributeOf(i cmapi.Issuer, name string) string {
	var values []string
	for _, a := range i.Subject {
		if strings.EqualFold(a.Name, name) {
			values = append(values, a.Value)
		}
	}
	return strings.Join(values, ",")
}

type issuersOptions struct {
	f *cmdutil.Factory

	filter *cmdutil.FilterFlags
	limit  int
}

func newIssuersCmd(f *cmdutil.Factory) *cobra.Command {
	o := &issuersOptions{f: f}
	cmd := &cobra.Command{
		Use:   "issuers [flags]",
		Short: "List the names of the issuing CAs",
		Long: `List the names of the issuing CAs, narrowed by filters on their certificates.
The API calls this operation deprecated; it still works. Each name is printed
once. "cmctl cert search --type CA" lists the CA certificates themselves.

A name as printed is what --issuer of "cmctl cert search" takes.`,
		Example: `  cmctl cert issuers
  cmctl cert issuers --expires-within 365d -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runIssuers(cmd.Context(), o)
		},
	}
	o.filter = cmdutil.AddIssuerFilterFlags(cmd)
	cmdutil.CountFlag(cmd, &o.limit, "limit", 0, 1, "stop after `N` names; with --sort, print the first N")
	return cmdutil.Columns(cmdutil.Operations(cmd, "listIssuers"), issuerNoun.Columns())
}

func runIssuers(ctx context.Context, o *issuersOptions) error {
	query, err := o.filter.Query(o.f.Now())
	if err != nil {
		return err
	}
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	client, err := o.f.Client(ctx)
	if err != nil {
		return err
	}
	limit := o.limit
	if opt.Limit = limit; len(opt.Sort) > 0 {
		limit = 0 // the first ones are known at the end
	}
	list, err := search.Issuers(ctx, client.Certificates, query.Filter, limit)
	var incomplete *search.IncompleteError
	if err != nil && !errors.As(err, &incomplete) {
		return err
	}
	if err == nil && len(list) == 0 {
		o.f.Notice("no issuer matches")
	}
	return cmp.Or(output.Print(issuerNoun, opt, list...), err)
}
