// Package cmdutil is what commands share: the factory that makes clients,
// signers and printers when a command runs and not before; the ways to say
// which certificates; the question before a write; flags that know their
// values.
package cmdutil

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/cms"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/signer"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11"
	"github.com/cmctl/cmctl/pkg/terminal"
)

// Factory makes what a command needs, late: help and completion never open a
// config file, a key or a connection.
type Factory struct {
	Streams *terminal.Streams
	Env     config.Lookup
	Version string
	Now     func() time.Time
	// CatchSignals makes signals end the run's context; before, they end the process.
	CatchSignals func()

	line     []string       // see AddSubs
	flags    *pflag.FlagSet // of the command that runs
	output   *output.Options
	settings *config.Settings
	client   *cmapi.Client
	officers map[signer.Ref]*signer.Identity
	tokens   *pkcs11.Tokens
	args     []string // of the command that runs
	files    OutFiles
	remarks  []string // on the input

	underWay  atomic.Pointer[string] // the command that goes on with the job that runs
	resumed   *bulk.Job              // goes on; nil: none
	begun     config.Begun           // how
	asOfficer bool                   // it may be another officer's
	runAs     *bulk.Header           // gateway and officer of this run of it

	// Verb makes the command of a verb, by its words, ready to run with flags and
	// arguments as they were kept; the program sets it.
	Verb func(ctx context.Context, verb string, flags map[string][]string, args []string) (*cobra.Command, error)
}

// UseFlags tells the factory which command's flags count.
func (f *Factory) UseFlags(fs *pflag.FlagSet) { f.flags = fs }

// Files makes output files.
func (f *Factory) Files() *OutFiles { return &f.files }

// Resumable is the command that goes on with the job that runs; "" when none does.
func (f *Factory) Resumable() string {
	if command := f.underWay.Load(); command != nil {
		return *command
	}
	return ""
}

// UseArgs tells the factory the command's arguments.
func (f *Factory) UseArgs(args []string) { f.args = args }

// EachFlag calls each with the flags that were given.
func (f *Factory) EachFlag(each func(*pflag.Flag)) { f.flags.Visit(each) }

// Flag is a flag's value and whether it was given.
func (f *Factory) Flag(name string) (string, bool) {
	if f.flags == nil {
		return "", false
	}
	fl := f.flags.Lookup(name)
	if fl == nil || !fl.Changed {
		return "", false
	}
	return fl.Value.String(), true
}

// isSet tells whether a flag that is on or off is on: given, or by its variable
// where it has one. CheckSwitches has refused other values.
func (f *Factory) isSet(name string) bool {
	if v, ok := f.Flag(name); ok {
		return v == "true"
	}
	on, err := config.EnvBool(f.Env, name)
	return on && err == nil
}

// CheckSwitches refuses a variable of an on-or-off flag that says neither, and
// turns colour off where that is wanted.
func (f *Factory) CheckSwitches() error {
	for _, name := range []string{"no-header", "csv-safe", "no-color", "no-input", "debug", "quiet"} {
		if _, err := config.EnvBool(f.Env, name); err != nil {
			return err
		}
	}
	if f.isSet("no-color") {
		f.Streams.NoColor()
	}
	return nil
}

// Yes says that the officer answered the question beforehand.
func (f *Factory) Yes() bool { return f.isSet("yes") }

// Notice tells people something on stderr. Data on stdout or --quiet silence it.
func (f *Factory) Notice(format string, args ...any) {
	if of, err := f.Format(); err == nil && of.IsJSON() || f.isSet("quiet") {
		return
	}
	f.Warn(format, args...)
}

// Warn tells what must not be missed, even with --quiet. With -o json stderr
// holds nothing but the error object, so only what is refused is told there.
func (f *Factory) Warn(format string, args ...any) {
	if of, err := f.Format(); err == nil && of.IsJSON() {
		return
	}
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") { // an error may have several
		f.Streams.Say("note: " + output.Escape(line))
	}
}

// Alert tells, in every form, what nobody may miss though nothing has failed: with
// -o json as an object on a line of its own.
func (f *Factory) Alert(kind, format string, args ...any) {
	if of, err := f.Format(); err != nil || !of.IsJSON() {
		f.Warn(format, args...)
		return
	}
	raw, _ := json.Marshal(struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
	}{kind, fmt.Sprintf(format, args...)})
	_, _ = fmt.Fprintln(f.Streams.Err, string(output.EscapeJSON(raw)))
}

// remark tells, in every form, what is odd about the input: the plan that is made
// of it may not be the one that was meant. The journal keeps it.
func (f *Factory) remark(kind, text string) {
	f.remarks = append(f.remarks, text)
	f.Alert(kind, "%s", text)
}

// ConfigFile loads the file of contexts. One that was named has to be there: a
// slip of the pen would look like a cmctl without contexts.
func (f *Factory) ConfigFile() (*config.File, error) {
	file, err := f.NewConfigFile()
	if err != nil || !file.Missing {
		return file, err
	}
	if path, by := config.Path(f.Flag, f.Env); by != "" {
		return nil, exit.Usagef("`cmctl context set NAME --server URL` makes it", "%s: there is no file %s", by, path)
	}
	return file, nil
}

// NewConfigFile is ConfigFile for what may make the file.
func (f *Factory) NewConfigFile() (*config.File, error) {
	path, _ := config.Path(f.Flag, f.Env)
	file, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	for _, w := range file.Warnings {
		f.Warn("%s", w)
	}
	return file, nil
}

// Settings decides, once, what counts for this run.
func (f *Factory) Settings() (*config.Settings, error) {
	if f.settings != nil {
		return f.settings, nil
	}
	file, err := f.ConfigFile()
	if err != nil {
		return nil, err
	}
	s, err := config.ResolveAgain(file, f.begun, f.Flag, f.Env)
	if err != nil {
		return nil, err
	}
	for _, n := range s.Notices {
		f.Warn("%s", n)
	}
	f.settings = s
	return s, nil
}

// Prompter asks the officer.
func (f *Factory) Prompter() terminal.Prompter {
	return terminal.NewPrompter(f.Streams, f.isSet("no-input"))
}

// Client connects to the gateway of the settings with the officer's key.
func (f *Factory) Client(ctx context.Context) (*cmapi.Client, error) {
	if f.client != nil {
		return f.client, nil
	}
	s, err := f.Settings()
	if err != nil {
		return nil, err
	}
	if err := s.NeedServer(); err != nil {
		return nil, err
	}
	cfg := cmapi.Config{
		BaseURL: s.Server, ServerName: s.TLSServerName, Timeout: s.Timeout, UserAgent: "cmctl/" + f.Version,
		Notice: func(msg string) { f.Notice("%s", msg) },
	}
	if s.CAFile != "" {
		if cfg.RootCAs, err = readPool(s.CAFile, s.Origin("ca-file")); err != nil {
			return nil, err
		}
	}
	if f.isSet("debug") {
		cfg.Trace = plainTrace{f.Streams}
	}
	officer, err := f.officer(ctx, s.TLS, forTLS)
	if err != nil {
		return nil, err
	}
	if cfg.MaxTLS, err = f.readyForTLS(ctx, officer); err != nil {
		return nil, err
	}
	cert := officer.TLSCertificate()
	cfg.Certificate = func(context.Context) (*tls.Certificate, error) { return &cert, nil }
	if f.client, err = cmapi.New(cfg); err != nil {
		return nil, exit.Usagef("", "%w", err)
	}
	return f.client, nil
}

// plainTrace keeps what a gateway sends from talking to the terminal.
type plainTrace struct{ streams *terminal.Streams }

func (t plainTrace) Write(p []byte) (int, error) {
	defer t.streams.Hold()()
	_, err := t.streams.Err.Write(output.EscapeJSON(p))
	return len(p), err
}

func readPool(path string, origin config.Origin) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, exit.Usagef("", "the CA file of %s: %w", origin, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, exit.Usagef("it holds the PEM certificate of the CA that issued the gateway's", "the CA file of %s: %s holds no PEM certificate", origin, path)
	}
	return pool, nil
}

// What a pair is for.
const (
	forTLS     = "TLS"
	forSigning = "signing"
)

// officer opens a pair of certificate and key, once for each.
func (f *Factory) officer(ctx context.Context, p config.Pair, use string) (*signer.Identity, error) {
	ref := signer.Ref{Cert: p.Cert, Key: p.Key}
	if id := f.officers[ref]; id != nil {
		return id, nil
	}
	if p.IsZero() {
		return nil, exit.New(exit.Usage, "give --cert and --key, or set them in a context with `cmctl context set`", "no officer certificate and key for %s", use)
	}
	tokens, err := f.Tokens()
	if err != nil {
		return nil, err
	}
	if tls := f.settings.TLS; ref == (signer.Ref{Cert: tls.Cert, Key: tls.Key}) {
		use = forTLS // one pair for both: what opens it is named as TLS has it
	}
	id, err := signer.Open(ctx, ref, f.secrets(p, use), tokens)
	if err != nil {
		return nil, err
	}
	for _, w := range id.Warnings {
		f.Warn("%s", w)
	}
	if err := id.CheckTime(f.Now()); err != nil {
		return nil, err
	}
	if f.officers == nil {
		f.officers = map[signer.Ref]*signer.Identity{}
	}
	f.officers[ref] = id
	return id, nil
}

// Officer is the certificate that signs, for the question before a write.
func (f *Factory) Officer(ctx context.Context) (*signer.Identity, error) {
	s, err := f.Settings()
	if err != nil {
		return nil, err
	}
	return f.officer(ctx, s.Sign, forSigning)
}

// Signer signs writes with the officer's key.
func (f *Factory) Signer(ctx context.Context) (cmapi.Signer, error) {
	id, err := f.Officer(ctx)
	if err != nil {
		return nil, err
	}
	digest, err := cms.ParseDigest(f.settings.SignDigest)
	if err != nil {
		return nil, err
	}
	return cms.NewSigner(id.Key, id.Leaf, id.Chain, digest)
}

// Close ends connections and keys.
func (f *Factory) Close() {
	if f.client != nil {
		f.client.Close()
	}
	if f.tokens != nil {
		f.tokens.Close()
	}
}

// ReadInput reads a file, or stdin for "-", up to limit bytes.
func (f *Factory) ReadInput(path string, limit int64) ([]byte, error) {
	in, name := f.Streams.In, "standard input"
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, exit.Usagef("", "%w", err)
		}
		defer func() { _ = file.Close() }()
		in, name = file, path
	}
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, exit.Usagef("", "%s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, exit.Usagef("", "%s: longer than %d MiB", name, limit>>20)
	}
	return data, nil
}

// InputName is how messages call an input file.
func InputName(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

// Plural is "1 certificate", "3 certificates".
func Plural(n int, noun string) string {
	if n != 1 && !strings.HasSuffix(noun, "s") {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
