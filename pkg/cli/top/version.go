package top

import (
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11"
)

type versionInfo struct {
	Version string   `json:"version"`
	Go      string   `json:"go"`
	OS      string   `json:"os"`
	Arch    string   `json:"arch"`
	Signers []string `json:"signers"` // kinds of keys that this build opens
	Missing string   `json:"missing"` // what it lacks; empty: nothing
}

var versionNoun = output.Noun[versionInfo]{
	Name:   "version",
	Schema: "version",
	ID:     func(v versionInfo) string { return v.Version },
	Fields: []output.Field[versionInfo]{
		{Name: "version", Value: func(v versionInfo) string { return v.Version }},
		{Name: "go", Value: func(v versionInfo) string { return v.Go }},
		{Name: "os", Value: func(v versionInfo) string { return v.OS }},
		{Name: "arch", Value: func(v versionInfo) string { return v.Arch }},
		{Name: "signers", Value: func(v versionInfo) string { return strings.Join(v.Signers, ",") }},
		{Name: "missing", Value: func(v versionInfo) string { return v.Missing }},
	},
}

// NewVersionCmd makes `cmctl version`.
func NewVersionCmd(f *cmdutil.Factory) *cobra.Command {
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
			v := versionInfo{Version: f.Version, Go: strings.TrimPrefix(runtime.Version(), "go"), OS: runtime.GOOS, Arch: runtime.GOARCH, Signers: []string{"pem", "pkcs12"}}
			if pkcs11.Supported {
				v.Signers = append(v.Signers, "pkcs11")
			} else {
				v.Missing = "pkcs11 (built without cgo)"
			}
			return output.Print(versionNoun, opt, v)
		},
	}
	return cmdutil.Columns(cmd, versionNoun.Columns())
}
