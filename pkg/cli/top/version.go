package top

import (
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/output"
)

type versionInfo struct {
	Version string   `json:"version"`
	Go      string   `json:"go"`
	OS      string   `json:"os"`
	Arch    string   `json:"arch"`
	Signers []string `json:"signers"` // kinds of keys that this build opens
}

var versionNoun = output.Noun[versionInfo]{
	Name: "version",
	ID:   func(v versionInfo) string { return v.Version },
	Fields: []output.Field[versionInfo]{
		{Name: "version", Value: func(v versionInfo) string { return v.Version }},
		{Name: "go", Value: func(v versionInfo) string { return v.Go }},
		{Name: "os", Value: func(v versionInfo) string { return v.OS }},
		{Name: "arch", Value: func(v versionInfo) string { return v.Arch }},
		{Name: "signers", Value: func(v versionInfo) string { return strings.Join(v.Signers, ",") }},
	},
}

func newVersionCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the version and what this build can do",
		Long: `Show the version, and which kinds of keys this build opens. The cmctl of
cert-manager is another program: its version command prints "Client Version".`,
		Example: `  cmctl version
  cmctl version -o json`,
		GroupID: cmdutil.GroupLocal,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			opt, err := f.OutputOptions()
			if err != nil {
				return err
			}
			opt.Single, opt.Details = true, true
			w := output.NewWriter(versionNoun, opt)
			v := versionInfo{f.Version, strings.TrimPrefix(runtime.Version(), "go"), runtime.GOOS, runtime.GOARCH, []string{"pem", "pkcs12"}}
			if err := w.Write(v); err != nil {
				return err
			}
			return w.Close()
		},
	}
	return cmdutil.Columns(cmd, versionNoun.Columns())
}
