package acme

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/output"
)

// accountNoun prints ACME accounts. The tsv columns and their order are
// contract: append only.
var accountNoun = output.Noun[cmapi.Account]{
	Name:   "account",
	Schema: "account",
	ID:     func(a cmapi.Account) string { return a.RegID },
	Fields: []output.Field[cmapi.Account]{
		{Name: "regid", Value: func(a cmapi.Account) string { return a.RegID }},
		{Name: "status", Value: func(a cmapi.Account) string { return a.Status }, Tone: statusTone},
		{Name: "fqdn", Value: func(a cmapi.Account) string { return a.FQDN }, Flex: true},
		{Name: "keyid", Value: func(a cmapi.Account) string { return a.KeyID }, Flex: true, Spare: true},
		{Name: "email", Value: func(a cmapi.Account) string { return a.Email }, Flex: true},
		{Name: "creationdate", Value: func(a cmapi.Account) string { return cmdutil.TimeText(a.CreationDate) }, Cell: func(a cmapi.Account) string { return cmdutil.DateText(a.CreationDate) }, Spare: true},
		{Name: "officer", Value: func(a cmapi.Account) string { return a.Officer }, Where: output.NotInTable},
		{Name: "regtype", Value: func(a cmapi.Account) string { return a.RegType }, Where: output.NotInTable},
		{Name: "certids", Value: func(a cmapi.Account) string { return strings.Join(a.CertIDs, ",") }, Spare: true},
	},
}

func statusTone(a cmapi.Account) output.Tone {
	switch {
	case a.Status == cmapi.AccountRevoked:
		return output.Bad
	case a.Status != cmapi.AccountActive:
		return output.Warn
	}
	return output.Plain
}

type accountsOptions struct {
	f *cmdutil.Factory

	procedure string
	account   string
}

func newAccountsCmd(f *cmdutil.Factory) *cobra.Command {
	o := &accountsOptions{f: f}
	cmd := &cobra.Command{
		Use:   "accounts <procid> [--account <pattern>]",
		Short: "List the ACME accounts under a procedure",
		Long: `List the ACME accounts under a procedure, which is named by its id or its name.
--account narrows the list to one account, or to those that match a pattern in
which * stands for anything.`,
		Example: `  cmctl acme accounts p-acme
  cmctl acme accounts p-acme --account "demo-account*" -o json`,
		Args:              cmdutil.Exactly("procid"),
		ValidArgsFunction: cmdutil.CompleteProcedure(f),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.procedure = args[0]
			return runAccounts(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.account, "account", "", "id of the account, a `pattern` with * for anything (API: accountid)")
	return cmdutil.Columns(cmdutil.Operations(cmd, "listAcmeAccounts"), accountNoun.Columns())
}

func runAccounts(ctx context.Context, o *accountsOptions) error {
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	client, err := o.f.Client(ctx)
	if err != nil {
		return err
	}
	proc, err := cmdutil.FindProcedure(ctx, client, o.procedure)
	if err != nil {
		return err
	}
	list, err := client.Registrations.Accounts(ctx, proc.ID, o.account)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		o.f.Notice("no account matches")
	}
	return output.Print(accountNoun, opt, list...)
}
