package cert

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

// importRecord is the outcome of one certificate to import.
type importRecord struct {
	ops.Result
	Serial  pki.Serial
	Subject string
}

// importNoun prints what became of each. The tsv columns and their order are
// contract: append only.
var importNoun = output.Noun[importRecord]{
	Name:   "import",
	Schema: "import-outcome",
	ID: func(r importRecord) string {
		if r.Outcome.Good() {
			return r.ID
		}
		return ""
	},
	JSON: func(r importRecord) any {
		return struct {
			CertID  string      `json:"certid,omitempty"`
			Outcome ops.Outcome `json:"outcome"`
			Serial  pki.Serial  `json:"certificateserialnumber"`
			Subject string      `json:"subject"`
			Line    int         `json:"line,omitempty"`
			Input   string      `json:"input"`
			Error   *ops.Reason `json:"error,omitempty"`
		}{r.ID, r.Outcome, r.Serial, r.Subject, r.Line, r.Input, ops.ReasonOf(r.Err)}
	},
	Fields: append(append(
		[]output.Field[importRecord]{{Name: "certid", Value: func(r importRecord) string { return r.ID }}},
		cmdutil.OutcomeFields(func(r importRecord) ops.Result { return r.Result })...),
		output.Field[importRecord]{Name: "serial", Value: func(r importRecord) string { return r.Serial.String() }, Spare: true},
		output.Field[importRecord]{Name: "subject", Value: func(r importRecord) string { return r.Subject }, Flex: true},
	),
}

type importOptions struct {
	f *cmdutil.Factory

	files             []string
	from              string
	reason, revokedAt string
	procedure         string
	exclude           []string
	dryRun            bool
	limits            cmdutil.Limits
	job               cmdutil.JobFlags
}

func newImportCmd(f *cmdutil.Factory) *cobra.Command {
	o := &importOptions{f: f}
	cmd := &cobra.Command{
		Use:   "import {<file>... | --from <list>}",
		Short: "Take in certificates of another PKI",
		Long: `Take in X.509 certificates that another PKI issued, so that CM knows them. Files
hold PEM, DER or PKCS#7, one certificate or many; of a folder, the files ending
in .pem, .crt, .cer, .der, .p7b and .p7c are read. The token procedure must
belong to the CA that issued them.

--reason and --revoked-at take all of them in as revoked. With --from, a CSV
list says it for each: columns file, reason and time, reason and time empty for
one that is not revoked; files are relative to the list's folder.

Up to 100 (--batch) go into one signed request, fewer when the gateway says that
it takes fewer. What is there is found by serial number and issuer before an
item is called done; one that was there before is "already", which is success.
It asks before it writes. After a crash, "cmctl job resume" goes on.

--exclude leaves out the certificates that a list has, or names by serial, or by
their files in a CSV list with a column file. --dry-run, or --check, which is
the same, does all of it up to the question, looks every certificate up by
serial and issuer and prints what would become of it: due, already, wrong-state.
It ends as a real run would, as far as the gateway's records tell.`,
		Example: `  cmctl cert import partner.pem --procedure "Import Procedure"
  cmctl cert import bundle.p7b certs/ --yes --max 500
  cmctl cert import old.pem --reason cessationOfOperation --revoked-at 2026-01-31
  cmctl cert import --from import.csv --yes --expect 40`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.files = args
			return runImport(cmd.Context(), o)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.from, "from", "", "read files, reasons and times from this CSV `file`, - for standard input")
	cmdutil.EnumFlag(cmd, &o.reason, "reason", "take them in as revoked for this reason, a word or its number (API: reason)", cmdutil.ReasonWords(pki.RevokeReasons()), reasonText)
	fs.StringVar(&o.revokedAt, "revoked-at", "", "the `time` of that revocation, such as 2026-01-31 or -30d (API: revocationtime)")
	fs.StringVar(&o.procedure, "procedure", "", "token procedure, `name or id`; the gateway's default when absent (API: procname)")
	cmdutil.CompleteProcedureFlag(cmd, f, "procedure")
	cmdutil.AddExcludeFlag(cmd, &o.exclude, "leave out the certificates of a list `file`: PEM, DER, serials, or CSV with a column file or serial")
	cmdutil.AddDryRunFlag(cmd, &o.dryRun, "look every certificate up and print what would become of it; nothing is signed or sent", importProspectNoun.Columns())
	cmdutil.AddLimitFlags(cmd, &o.limits)
	cmdutil.AddJobFlags(cmd, &o.job, true)
	return cmdutil.Columns(cmdutil.Operations(cmd, "importPKIX509"), importNoun.Columns())
}

// reasonText checks a reason and keeps it as text: none is not unspecified.
func reasonText(s string) (string, error) {
	r, err := pki.ParseRevokeReason(s)
	return r.String(), err
}

func runImport(ctx context.Context, o *importOptions) error {
	f := o.f
	opt, err := f.OutputOptions()
	if err != nil {
		return err
	}
	if err := o.job.Check(f); err != nil {
		return err
	}
	var items []importItem
	var out []cmdutil.KeptOut
	if !f.Resuming() {
		if items, err = o.read(); err != nil {
			return err
		}
		if items, out, err = o.leaveOut(items); err != nil {
			return err
		}
		if err := o.limits.Check(f, len(items)); err != nil {
			return err
		}
		switch {
		case len(items) == 0:
			if len(out) > 0 {
				f.Notice("%s excluded", cmdutil.Plural(len(out), "certificate"))
			}
			f.Notice("nothing to do")
			if o.dryRun {
				return output.Print(importProspectNoun, opt)
			}
			return output.Print(importNoun, opt)
		case o.dryRun:
			return o.tryOut(ctx, opt, items, out)
		}
		if err := cmdutil.AskFirst(f); err != nil {
			return err
		}
		s, err := f.Settings()
		if err != nil {
			return err
		}
		if err := f.ReadyToSign(ctx, bulk.Requests(len(items), s.Batch)); err != nil {
			return err
		}
	}
	client, err := f.Client(ctx)
	if err != nil {
		return err
	}
	procedure, describe, err := o.findProcedure(ctx, client)
	if err != nil {
		return err
	}
	job, err := f.NewJob(ctx, "cert import", o.job, len(items) == 1, func(job *bulk.Job) error {
		job.Header.Describe, job.Header.KeyColumn = describe, "sha256"
		return planImport(job, items, out)
	}, func(job *bulk.Job) error {
		return cmdutil.Confirm(ctx, f, cmdutil.Write{
			Describe: describe, Noun: "certificate", Count: len(items), Items: append(importLines(items), cmdutil.Exclusions(job.Plan().Summary())...),
			Signatures: job.Plan().Requests(job.Header.Batch),
		})
	})
	if err != nil {
		return err
	}
	runner, err := f.Runner(ctx, o.job)
	if err != nil {
		return err
	}
	run := cmdutil.JobRun[importRecord]{
		Job: job, Write: runner.Imports(procedure), Noun: importNoun, Record: importRecordOf,
		Verb: "import", Name: func(r bulk.Result) string { return place(r.Item) },
		Look: "cmctl cert search", Again: "run the same command again: what is there already is success",
	}
	return run.Run(ctx, f, opt, o.job)
}

// findProcedure is the name of the procedure, and what it is to do in words.
func (o *importOptions) findProcedure(ctx context.Context, client *cmapi.Client) (name, describe string, err error) {
	if o.procedure == "" {
		return "", "import by the gateway's default procedure", nil
	}
	p, err := cmdutil.FindProcedure(ctx, client, o.procedure)
	return p.Name, fmt.Sprintf("import by procedure %q", p.Name), err
}

func planImport(job *bulk.Job, items []importItem, out []cmdutil.KeptOut) (err error) {
	if err := cmdutil.KeepOut(job.Plan(), out); err != nil {
		return err
	}
	for _, it := range items {
		if it.Data, err = it.Pack(); err != nil {
			return err
		}
		if _, err = job.Plan().Add(it.Item, bulk.Facts{Issuer: pki.DN(it.Certificate.RawIssuer)}); err != nil {
			return err
		}
	}
	return nil
}

func importRecordOf(r bulk.Result) (importRecord, bool) {
	rec := importRecord{Result: r}
	if it, err := ops.UnpackImport(r.Data); err == nil { // it was packed here
		rec.Serial, rec.Subject = pki.SerialOf(it.Certificate.SerialNumber), pki.DN(it.Certificate.RawSubject)
	}
	return rec, true
}

// read reads what is to be imported, without a call to the gateway.
func (o *importOptions) read() ([]importItem, error) {
	const how = "name files and folders as arguments, or a CSV list with --from"
	l := &importList{f: o.f}
	switch {
	case o.from != "" && len(o.files) > 0:
		return nil, exit.Usagef(how, "both files and --from are given")
	case o.from == "" && len(o.files) == 0:
		return nil, exit.Usagef(how, "no file is named")
	case (o.from == "-" || slices.Contains(o.files, "-")) && slices.Contains(o.exclude, "-"):
		return nil, exit.Usagef("", "standard input (-) is named for what is imported and for --exclude")
	case o.from != "" && (o.reason != "" || o.revokedAt != ""):
		return nil, exit.Usagef("the list has columns for them", "--reason and --revoked-at are for files, not for --from")
	case o.from != "":
		data, err := o.f.ReadInput(o.from, maxBundle)
		if err != nil {
			return nil, err
		}
		if err := l.readCSV(o.from, data, o.f.Now()); err != nil {
			return nil, err
		}
	default:
		w, err := readWish(o.reason, o.revokedAt, o.f.Now())
		if err != nil {
			return nil, exit.Usagef(exit.HintOf(err), "--reason, --revoked-at: %w", err)
		}
		var wrong cmdutil.WrongFiles
		for _, file := range o.files {
			l.addPath(file, cmdutil.InputName(file), 0, w, wrong.Add)
		}
		if err := wrong.Err(); err != nil {
			return nil, err
		}
	}
	if l.repeats > 0 {
		o.f.Notice("%s left out: the same certificates are named before", cmdutil.Plural(l.repeats, "repeat"))
	}
	return l.items, nil
}

// importLines show the items in the question; nil when there are many.
func importLines(items []importItem) []string {
	if len(items) > cmdutil.ShownItems {
		return nil
	}
	lines := make([]string, len(items))
	for i, it := range items {
		c := it.Certificate
		state := "not revoked"
		if it.Revoked {
			state = fmt.Sprintf("revoked for %s at %s", it.Reason, pki.FormatTime(it.RevokedAt))
		}
		lines[i] = output.Escape(fmt.Sprintf("%s  %s, %s", place(it.Item), pki.DN(c.RawSubject), state)) + "\n    " +
			output.Escape(fmt.Sprintf("serial %s, valid %s to %s", pki.SerialOf(c.SerialNumber), cmdutil.DateText(c.NotBefore), cmdutil.DateText(c.NotAfter))) + "\n    " +
			output.Escape("issued by "+pki.DN(c.RawIssuer))
	}
	return lines
}
