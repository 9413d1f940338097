package key

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cms"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer"
)

type testOptions struct {
	f *cmdutil.Factory

	signatures int
}

// step is a part of the test.
type step struct {
	Name    string  `json:"step"`
	Outcome string  `json:"outcome"` // done, failed or skipped
	Seconds float64 `json:"seconds"`
	Detail  string  `json:"detail"`
}

var stepNoun = output.Noun[step]{
	Name:   "step",
	Schema: "key-test",
	ID:     func(s step) string { return s.Name },
	Fields: []output.Field[step]{
		{Name: "step", Value: func(s step) string { return s.Name }},
		{Name: "outcome", Value: func(s step) string { return s.Outcome }, Tone: func(s step) output.Tone {
			if s.Outcome == "failed" {
				return output.Bad
			}
			return output.Plain
		}},
		{Name: "seconds", Value: func(s step) string { return fmt.Sprintf("%.3f", s.Seconds) }, Right: true},
		{Name: "detail", Value: func(s step) string { return s.Detail }, Under: func(s step) string { return s.Detail }},
	},
}

func newTestCmd(f *cmdutil.Factory) *cobra.Command {
	o := &testOptions{f: f}
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Try the officer's keys: a signature, and TLS with the gateway",
		Long: `Try the officer's keys as the settings name them, in files or on tokens: open
them, connect to the gateway and read from it, make a CMS signature and verify
it. Each step is timed. Nothing is written on the gateway.`,
		Example: `  cmctl key test
  cmctl key test --key 'pkcs11:token=Officer%20card;id=%01' --signatures 10`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runTest(cmd.Context(), o) },
	}
	cmd.Flags().IntVar(&o.signatures, "signatures", 1, "make `N` CMS signatures, and tell how many there are a second")
	return cmdutil.Columns(cmdutil.Operations(cmd, "listProcedures"), stepNoun.Columns())
}

func runTest(ctx context.Context, o *testOptions) error {
	if o.signatures < 1 {
		return exit.Usagef("", "--signatures %d: at least one is to be made", o.signatures)
	}
	opt, err := o.f.OutputOptions()
	if err != nil {
		return err
	}
	s, err := o.f.Settings()
	if err != nil {
		return err
	}
	t := tester{o, output.NewWriter(stepNoun, opt)}
	var id *signer.Identity
	steps := []func() error{
		func() error {
			return t.step("open", func() (string, error) {
				if id, err = o.f.Officer(ctx); err != nil {
					return "", err
				}
				return where(id), nil
			})
		},
		func() error {
			if s.Server == "" {
				return t.w.Write(step{Name: "tls", Outcome: "skipped", Detail: "no gateway is named"})
			}
			return t.step("tls", func() (string, error) { return t.connect(ctx) })
		},
		func() error { return t.step("sign", func() (string, error) { return t.sign(ctx, id) }) },
	}
	for _, do := range steps {
		if err := do(); err != nil {
			return t.w.End(err)
		}
	}
	return t.w.End(nil)
}

type tester struct {
	o *testOptions
	w *output.Writer[step]
}

// step times a part and prints how it went.
func (t tester) step(name string, do func() (string, error)) error {
	start := time.Now()
	detail, err := do()
	s := step{name, "done", time.Since(start).Seconds(), detail}
	if err != nil {
		s.Outcome = "failed"
		s.Detail, _, _ = strings.Cut(err.Error(), "\n")
	}
	return errors.Join(err, t.w.Write(s))
}

func where(id *signer.Identity) string {
	if k := id.OnToken(); k != nil {
		return pki.DN(id.Leaf.RawSubject) + ", on " + k.Token()
	}
	return pki.DN(id.Leaf.RawSubject) + ", in a file"
}

// connect makes a handshake and one call: in TLS 1.3 a gateway refuses a
// certificate only then.
func (t tester) connect(ctx context.Context) (string, error) {
	client, err := t.o.f.Client(ctx)
	if err != nil {
		return "", err
	}
	if _, err := client.Procedures.List(ctx); err != nil {
		return "", err
	}
	state := client.Handshake()
	detail := fmt.Sprintf("%s, %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
	id, err := t.o.f.TLSOfficer(ctx)
	if err != nil {
		return "", err
	}
	if k := id.OnToken(); k != nil {
		_, mechanism := k.Used()
		detail += ", signed by " + mechanism
	}
	return detail, nil
}

// sign makes CMS signatures and verifies each.
func (t tester) sign(ctx context.Context, id *signer.Identity) (string, error) {
	t.o.f.PlanSignatures(id, t.o.signatures)
	s, err := t.o.f.Signer(ctx)
	if err != nil {
		return "", err
	}
	content := make([]byte, 64)
	var spent time.Duration
	for range t.o.signatures {
		rand.Read(content)
		start := time.Now()
		der, err := s.SignCMS(ctx, content)
		if err != nil {
			return "", err
		}
		spent += time.Since(start)
		if err := verify(der, content); err != nil {
			return "", err
		}
	}
	detail := "CMS by a file's key"
	if k := id.OnToken(); k != nil {
		_, mechanism := k.Used()
		detail = "CMS by " + mechanism
	}
	if n := t.o.signatures; n > 1 {
		detail += fmt.Sprintf(", %d signatures, %.1f a second", n, float64(n)/spent.Seconds())
	}
	return detail + ", verified", nil
}

func verify(der, content []byte) error {
	sd, err := cms.Parse(der)
	if err == nil && len(sd.Signers) == 1 {
		err = sd.Signers[0].Verify(content)
	}
	if err != nil {
		return exit.New(exit.Key, "this must not happen: do not use the key", "the signature that was made does not verify: %w", err)
	}
	return nil
}
