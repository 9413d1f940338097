package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/acme"
	"github.com/cmctl/cmctl/pkg/cli/cert"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cli/contexts"
	"github.com/cmctl/cmctl/pkg/cli/job"
	"github.com/cmctl/cmctl/pkg/cli/key"
	"github.com/cmctl/cmctl/pkg/cli/proc"
	"github.com/cmctl/cmctl/pkg/cli/reg"
	"github.com/cmctl/cmctl/pkg/cli/top"
	"github.com/cmctl/cmctl/pkg/exit"
)

// NewRoot makes the command tree, or as much of it as a command line wants. It
// opens nothing.
func NewRoot(f *cmdutil.Factory, args ...string) *cobra.Command {
	root := &cobra.Command{
		Use:   "cmctl",
		Short: "Work as a PKI officer against the CM REST API",
		Long: `cmctl is the command line for PKI officers of Nexus Certificate Manager: search,
show, download, issue, revoke, hold and reinstate certificates through the CM
REST API of its Protocol Gateway.

Every call is mutual TLS with an officer certificate, and every write is signed
with the officer's key. Results go to stdout, everything else to stderr.

Start with a context, which names the gateway and the keys to use there. The
cmctl of cert-manager is another program.`,
		Example: `  cmctl context set prod --server https://pgwy.example.com:8444/pgwy/api --ca-file root.pem --cert officer.p12
  cmctl cert search --cn "Demo User"
  cmctl cert revoke 10003 --reason superseded`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			f.UseFlags(cmd.Flags())
			f.UseArgs(args)
			if name := cmd.Name(); name != "version" && !slices.Contains(completing, name) {
				f.CatchSignals()
			}
			if err := cmdutil.CheckEmpty(cmd); err != nil {
				return err
			}
			if err := f.CheckSwitches(); err != nil {
				return err
			}
			return f.CheckOutput(cmd)
		},
	}
	root.AddGroup(
		&cobra.Group{ID: cmdutil.GroupWork, Title: "Work with the gateway:"},
		&cobra.Group{ID: cmdutil.GroupLocal, Title: "Local:"},
	)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		f.UseFlags(cmd.Flags())
		err = cmdutil.FlagError(err)
		hint := exit.HintOf(err)
		if hint == "" {
			hint = seeHelp(cmd)
		}
		return exit.Usagef(hint, "%w", err)
	})
	addGlobalFlags(root)
	_ = root.RegisterFlagCompletionFunc("context", contexts.CompleteNames(f))
	addCommands(root, f, args)
	root.SetHelpCommandGroupID(cmdutil.GroupLocal)
	root.SetUsageFunc(printUsage)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	refuseUnknownVerbs(root)
	refuseUnknownTopics(root)
	cmdutil.Once(root)
	f.Verb = func(ctx context.Context, verb string, flags map[string][]string, args []string) (*cobra.Command, error) {
		return verbAgain(ctx, f, verb, flags, args)
	}
	return root
}

// completing are what a shell runs for completions.
var completing = []string{cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}

// addCommands makes the part of the tree that a line asks for.
func addCommands(root *cobra.Command, f *cmdutil.Factory, args []string) {
	for len(args) > 0 && (args[0] == "help" || slices.Contains(completing, args[0])) {
		args = args[1:]
	}
	f.StartLine(args)
	f.AddSubs(root, []cmdutil.Sub{
		{"cert", cert.NewCmd}, {"proc", proc.NewCmd}, {"reg", reg.NewCmd}, {"acme", acme.NewCmd}, {"job", job.NewCmd}, {"key", key.NewCmd}, {"context", contexts.NewCmd},
		{"inspect", top.NewInspectCmd}, {"version", top.NewVersionCmd}, {"completion", top.NewCompletionCmd},
		{"exit-codes", top.NewExitCodesTopic}, {"environment", top.NewEnvironmentTopic},
	}...)
}

// refuseUnknownVerbs makes a noun with a word that is none of its verbs an
// error: cobra would print the help and end 0.
func refuseUnknownVerbs(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		refuseUnknownVerbs(c)
	}
	if !cmd.HasSubCommands() || cmd.Runnable() {
		return
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		hint := seeHelp(cmd)
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean `" + cmd.CommandPath() + " " + near[0] + "`?"
		}
		return exit.Usagef(hint, "unknown command %q for %q", args[0], cmd.CommandPath())
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
}

// refuseUnknownTopics does the same for `cmctl help` and words that are none.
func refuseUnknownTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, err := root.Find([]string{"help"})
	if err != nil {
		return
	}
	help.Example = "  cmctl help exit-codes\n  cmctl help cert revoke"
	show := help.Run
	help.Run, help.RunE = nil, func(cmd *cobra.Command, args []string) error {
		if _, rest, err := root.Find(args); err != nil || len(rest) > 0 {
			return exit.Usagef(seeHelp(root), "no command or topic %q", strings.Join(args, " "))
		}
		show(cmd, args)
		return nil
	}
}

func seeHelp(cmd *cobra.Command) string { return "see `" + cmd.CommandPath() + " --help`" }

func addGlobalFlags(root *cobra.Command) {
	fs := root.PersistentFlags()
	fs.String("context", "", "context to use, by its `name` in the config file")
	fs.String("config", "", "config `file` instead of ~/.config/cmctl/config.yaml")
	fs.String("server", "", "base `URL` of the API: https://host:8444/pgwy/api")
	fs.String("ca-file", "", "PEM `file` with the CA to trust for the gateway; the system's by default")
	fs.String("tls-server-name", "", "`name` to expect in the gateway's certificate, instead of the host in --server")
	fs.String("cert", "", "officer certificate, a PEM or PKCS#12 `file` or a pkcs11: URI; its key may be in there")
	fs.String("key", "", "officer key, a PEM or PKCS#12 `file` or a pkcs11: URI; its certificate may be in there")
	fs.String("pin-file", "", "`file` with the password or PIN of the key")
	fs.String("sign-cert", "", "certificate to sign writes with, when it is another: PEM or PKCS#12 `file`, or a pkcs11: URI")
	fs.String("sign-key", "", "key to sign writes with, when it is another: PEM or PKCS#12 `file`, or a pkcs11: URI")
	fs.String("sign-pin-file", "", "`file` with the password or PIN of the signing key")
	fs.Bool("pin-final-try", false, "try the PIN although the token says that few tries are left, or the last one")
	fs.Int("pin-entries", 0, "consent to `N` PIN entries for a key on a token that wants the PIN for each signature")
	cmdutil.AddOutputFlags(root)
	fs.Bool("no-color", false, "print no colour")
	fs.Bool("no-input", false, "never ask: end with exit code 2 instead")
	fs.BoolP("yes", "y", false, "answer the question before a write with yes; with several items see --expect")
	fs.Duration("timeout", 0, "`time` for one exchange with the gateway, such as 90s; 60s by default")
	fs.Bool("debug", false, "show the exchanges with the gateway on stderr, values masked")
	fs.BoolP("quiet", "q", false, "no notes on stderr")
	for _, name := range []string{"server", "tls-server-name", "timeout"} {
		_ = root.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}
