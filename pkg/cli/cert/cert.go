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
	f.AddSubs(cmd, []cmdutil.Sub{
		{"search", newSearchCmd}, {"show", newShowCmd}, {"status", newStatusCmd}, {"download", newDownloadCmd},
		{"issue", newIssueCmd}, {"issue-p12", newIssueP12Cmd}, {"issue-attr", newIssueAttrCmd}, {"issue-skip", newIssueSKIPCmd},
		{"import", newImportCmd}, {"revoke", newRevokeCmd}, {"hold", newHoldCmd}, {"reinstate", newReinstateCmd}, {"issuers", newIssuersCmd},
		{"report", report.NewCmd},
	}...)
	return cmd
}
