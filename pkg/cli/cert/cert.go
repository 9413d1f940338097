// Package cert is `cmctl cert`: search, show and download certificates, issue,
// import, revoke, hold and reinstate them. One file a verb.
package cert

import (
	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cert/report"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
)

// NewCmd makes the noun and its verbs.
func NewCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cert",
		Short:   "Search, show, download, issue, import, revoke, hold, reinstate certificates",
		GroupID: cmdutil.GroupWork,
	}
	cmd.AddCommand(
		newSearchCmd(f), newShowCmd(f), newStatusCmd(f), newDownloadCmd(f),
		newIssueCmd(f), newIssueP12Cmd(f), newIssueAttrCmd(f), newIssueSKIPCmd(f),
		newImportCmd(f), newRevokeCmd(f), newHoldCmd(f), newReinstateCmd(f), newIssuersCmd(f),
		report.NewCmd(f),
	)
	return cmd
}
