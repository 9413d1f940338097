package cmdutil

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

// Selection is how every verb is told which certificates: as arguments or from
// a list; exactly one of the two.
type Selection struct {
	Args []string
	From string
	As   ListAs
}

// maxList is the largest list that is read, in bytes: well over a million
// records.
const maxList = 1 << 30

// AddSelectionFlags adds --from and --as.
func AddSelectionFlags(cmd *cobra.Command, s *Selection) {
	cmd.Flags().StringVar(&s.From, "from", "", "read the certificates from a list `file`, - for standard input: certids, serials, CSV with a header, JSON records, PEM or DER")
	EnumFlag(cmd, &s.As, "as", "what bare lines of a list, or bare arguments, are", []string{string(AsID), string(AsSerial)}, OneOf[ListAs](string(AsID), string(AsSerial)))
}

// Entries reads what was selected, without a call to the gateway. An entry
// named twice is taken once and told.
func (s *Selection) Entries(f *Factory) ([]Entry, error) {
	const how = "name certificates as arguments or with --from FILE"
	switch {
	case s.From != "" && len(s.Args) > 0:
		return nil, exit.Usagef(how, "both arguments and --from are given")
	case s.From == "" && len(s.Args) == 0:
		return nil, exit.Usagef(how, "no certificate is named")
	case s.From != "":
		data, err := f.ReadInput(s.From, maxList)
		if err != nil {
			return nil, err
		}
		return ParseList(InputName(s.From), data, s.As)
	}
	return ParseArgs(s.Args, s.As)
}

// ParseArgs reads certificates named as arguments: certids or serials.
func ParseArgs(args []string, as ListAs) ([]Entry, error) {
	entries := make([]Entry, len(args))
	for i, a := range args {
		e, err := ParseEntry(strings.TrimSpace(a), as)
		if err != nil {
			return nil, exit.Usagef(listHint, "%w", err)
		}
		entries[i] = e
	}
	return entries, nil
}

// byID tells an entry that is a certid and nothing else: it needs no look-up.
func (e Entry) byID() bool {
	return e.Certificate == nil && e.Serial == "" && e.Issuer == "" && e.Subject == ""
}

// CheckEarly refuses a number of items that was not meant before anything is
// read from the gateway, where the list alone tells the number.
func (l Limits) CheckEarly(f *Factory, entries []Entry) error {
	ids := map[string]bool{}
	for _, e := range entries {
		if !e.byID() {
			return nil
		}
		ids[e.CertID] = true
	}
	return l.Check(f, len(ids))
}

const resolvers = 8 // look-ups at a time

// Resolve turns entries into items with a certid each, in their order. An
// entry that names its certificate by certid alone costs no call. Serials and
// certificates are looked up, and whatever a record says besides the certid
// must be what the gateway says: certids are small local numbers, and a list
// from another gateway would hit the wrong certificates.
func Resolve(ctx context.Context, f *Factory, c *cmapi.Client, name string, entries []Entry) ([]ops.Item, error) {
	ids := make([]string, len(entries))
	errs := make([]error, len(entries))
	var g errgroup.Group
	g.SetLimit(resolvers)
	for i, e := range entries {
		if e.byID() {
			ids[i] = e.CertID
			continue
		}
		g.Go(func() error {
			ids[i], errs[i] = resolveOne(ctx, c, e)
			return nil
		})
	}
	_ = g.Wait()
	if err := resolveErrors(name, entries, errs); err != nil {
		return nil, err
	}
	seen := map[string]int{}
	var items []ops.Item
	repeats := 0
	for i, e := range entries {
		if _, ok := seen[ids[i]]; ok {
			repeats++
			continue
		}
		seen[ids[i]] = i
		it := ops.Item{Key: ids[i], Line: e.Line}
		if e.Input != ids[i] {
			it.Input = e.Input
		}
		items = append(items, it)
	}
	if repeats > 0 {
		f.Notice("%s left out: the same certificates are named before", Plural(repeats, "repeat"))
	}
	return items, nil
}

// resolveErrors tells all entries that do not resolve. Trouble with the
// gateway comes before doubts about the list.
func resolveErrors(name string, entries []Entry, errs []error) error {
	bad := problems{name: name}
	code := exit.Code(-1)
	var hint string
	for i, err := range errs {
		if err == nil {
			continue
		}
		c := exit.Of(err)
		if c != exit.Usage && c != exit.NotFound {
			return err
		}
		if code == -1 {
			code, hint = c, exit.HintOf(err)
		} else if c != code {
			code = exit.Usage
		}
		if entries[i].Line == 0 {
			bad.lines = append(bad.lines, err.Error())
		} else {
			bad.add(entries[i].Line, "%v", err)
		}
	}
	if err := bad.err(hint); err != nil {
		return exit.New(code, hint, "%w", err)
	}
	return nil
}

func resolveOne(ctx context.Context, c *cmapi.Client, e Entry) (string, error) {
	if e.CertID != "" {
		return checkRecord(ctx, c, e)
	}
	serial := e.Serial
	if e.Certificate != nil {
		serial = pki.SerialOf(e.Certificate.SerialNumber)
	}
	page, err := c.Certificates.List(ctx, cmapi.CertificateFilter{CertificateSerialNumber: serial.String(), SubjectType: []string{"EE", "CA"}}, 0, 0)
	if err != nil {
		return "", err
	}
	var found []cmapi.Certificate
	var other error
	for _, cert := range page.Certificates {
		if !cert.Serial.Equal(serial) {
			continue
		}
		if err := contradiction(e, &cert); err != nil {
			other = err
			continue
		}
		if e.Certificate != nil {
			if same, err := sameCertificate(ctx, c, cert.CertID, e); err != nil || !same {
				if err != nil {
					return "", err
				}
				continue
			}
		}
		found = append(found, cert)
	}
	switch len(found) {
	case 1:
		return found[0].CertID, nil
	case 0:
		if other != nil {
			return "", other
		}
		what := "certificate " + e.Input
		if e.Certificate != nil {
			what = e.Input // is "certificate" and its serial
		}
		return "", exit.New(exit.NotFound, "is this the right gateway? `cmctl cert search --serial` looks without a list", "no %s", what)
	}
	lines := make([]string, len(found))
	for i, cert := range found {
		lines[i] = output.Escape(fmt.Sprintf("  certid %s: %s, issued by %s", cert.CertID, cert.Subject, cert.Issuer)) // one line each, whatever is in them
	}
	return "", exit.Usagef("name the one that is meant by its certid", "serial %s fits certificates of several issuers:\n%s", serial, strings.Join(lines, "\n"))
}

func sameCertificate(ctx context.Context, c *cmapi.Client, certID string, e Entry) (bool, error) {
	blob, err := c.Certificates.Download(ctx, certID, cmapi.MediaDER, 0)
	if err != nil {
		return false, err
	}
	return string(blob.Bytes) == string(e.Certificate.Raw), nil
}

func checkRecord(ctx context.Context, c *cmapi.Client, e Entry) (string, error) {
	cert, err := c.Certificates.Details(ctx, e.CertID)
	if err != nil {
		if exit.Of(err) == exit.NotFound {
			err = exit.New(exit.NotFound, exit.HintOf(err), "certid %s is not known to the gateway", e.CertID)
		}
		return "", err
	}
	return e.CertID, contradiction(e, cert)
}

// contradiction is what a record says besides its certid that the gateway does
// not say.
func contradiction(e Entry, cert *cmapi.Certificate) error {
	const hint = "the list is of another gateway, or old: make it anew with `cmctl cert search`"
	switch {
	case e.Serial != "" && !e.Serial.Equal(cert.Serial):
		return exit.Usagef(hint, "certid %s: the list says serial %s, the gateway %s", cert.CertID, e.Serial, cert.Serial)
	case e.Issuer != "" && cert.Issuer != "" && !pki.SameName(e.Issuer, cert.Issuer):
		return exit.Usagef(hint, "certid %s: the list says issuer %q, the gateway %q", cert.CertID, e.Issuer, cert.Issuer)
	case e.Subject != "" && e.Subject != cert.Subject:
		return exit.Usagef(hint, "certid %s: the list says subject %q, the gateway %q", cert.CertID, e.Subject, cert.Subject)
	}
	return nil
}
