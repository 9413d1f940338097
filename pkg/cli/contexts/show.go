package contexts

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

// value is one setting that counts and where it came from.
type value struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

var valueNoun = output.Noun[value]{
	Name:   "setting",
	Schema: "setting",
	ID:     func(v value) string { return v.Name },
	Fields: []output.Field[value]{
		{Name: "name", Value: func(v value) string { return v.Name }},
		{Name: "value", Value: func(v value) string { return v.Value }, Flex: true},
		{Name: "origin", Value: func(v value) string { return v.Origin }, Flex: true},
	},
}

func newShowCmd(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show [name]",
		Short: "Show a context, or the settings that count now",
		Long: `Show what a context holds. Without a name, show the settings that count for a
run now, and where each comes from: flag, variable, context or default.`,
		Example: `  cmctl context show
  cmctl context show prod -o json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeNames(f),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return runShow(f, args[0])
			}
			return runShowSettings(f)
		},
	}
	return cmdutil.Columns(cmd, valueNoun.Columns())
}

func runShow(f *cmdutil.Factory, name string) error {
	file, err := f.ConfigFile()
	if err != nil {
		return err
	}
	values, err := file.Get(name)
	if err != nil {
		return err
	}
	return printValues(f, func(key string) (string, string) { return values[key], "context " + name })
}

func runShowSettings(f *cmdutil.Factory) error {
	s, err := f.Settings()
	if err != nil {
		return err
	}
	return printValues(f, func(key string) (string, string) {
		value, origin := settingText(s, key), s.Origin(key).String()
		if origin == "" {
			origin = "as for TLS" // of a signing pair that nothing names
		}
		return value, origin
	})
}

func printValues(f *cmdutil.Factory, get func(key string) (value, origin string)) error {
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	w := output.NewWriter(valueNoun, opt)
	for _, k := range append([]config.Key{{Name: "context"}}, config.Keys()...) {
		v, origin := get(k.Name)
		if v == "" {
			continue
		}
		if err := w.Write(value{k.Name, uri.Mask(v), origin}); err != nil {
			return err
		}
	}
	return w.Close()
}

// settingText is a setting that counts, as the config file would have it.
func settingText(s *config.Settings, key string) string {
	secretFile := func(p config.Pair) string {
		if p.Secret == nil {
			return ""
		}
		return p.Secret.File
	}
	return map[string]string{
		"context": s.ContextName, "server": s.Server, "ca-file": s.CAFile, "tls-server-name": s.TLSServerName,
		"cert": s.TLS.Cert, "key": s.TLS.Key, "pin-file": secretFile(s.TLS),
		"sign-cert": s.Sign.Cert, "sign-key": s.Sign.Key, "sign-pin-file": secretFile(s.Sign),
		"module": s.Module, "timeout": s.Timeout.String(), "batch": strconv.Itoa(s.Batch), "parallel": strconv.Itoa(s.Parallel),
		"sign-digest": s.SignDigest, "protected": strconv.FormatBool(s.Protected),
	}[key]
}
