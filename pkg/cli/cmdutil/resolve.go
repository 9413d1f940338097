package cmdutil

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

const (
	resolvers = 8   // look-ups at a time
	passedOn  = 256 // entries without a look-up, together
)

// byID tells an entry that is a certid and nothing else: it needs no look-up.
func (e Entry) byID() bool {
	return e.Certificate == nil && e.Serial == "" && e.Issuer == "" && e.Subject == ""
}

// resolved is an entry and the certificate that it names.
type resolved struct {
	Entry
	certID string
	facts  bulk.Facts
	err    error
}

// resolver finds the certificates that entries name. Look-ups run several at a
// time; what they find is handed out in the order of the entries.
type resolver struct {
	client  func(context.Context) (*cmapi.Client, error) // asked for by the first look-up
	lax     bool                                         // leave out what is not found or not clear
	unknown func(Entry)                                  // told what is not found; nil: that is wrong

	bad  problems
	code exit.Code // of what is in bad
	left problems  // left out
}

// run resolves what each hands out. Entries that do not resolve are noted, all
// of them; trouble with the gateway ends it.
func (r *resolver) run(ctx context.Context, each func(func(Entry) error) error, emit func(resolved) error) error {
	var c *cmapi.Client
	entries := func(add func([]Entry) error) error {
		var byID []Entry
		pass := func() error {
			some := byID
			if byID = nil; some == nil {
				return nil
			}
			return add(some)
		}
		err := each(func(e Entry) (err error) {
			if e.byID() {
				if byID == nil {
					byID = make([]Entry, 0, passedOn)
				}
				if byID = append(byID, e); len(byID) < passedOn {
					return nil
				}
				return pass()
			}
			if err = pass(); err == nil && c == nil {
				c, err = r.client(ctx)
			}
			if err != nil {
				return err
			}
			return add([]Entry{e})
		})
		return cmp.Or(err, pass())
	}
	work := func(ctx context.Context, entries []Entry) []resolved {
		out := make([]resolved, len(entries))
		for i, e := range entries {
			if e.byID() {
				out[i] = resolved{Entry: e, certID: e.CertID, facts: bulk.Facts{State: e.State, Issuer: e.Issuer, Organisation: e.Organisation}}
			} else {
				out[i] = lookUp(ctx, c, e)
			}
		}
		return out
	}
	return Ordered(ctx, resolvers, entries, work, func(some []resolved) error {
		for _, found := range some {
			var err error
			if found.err != nil {
				err = r.note(found)
			} else {
				err = emit(found)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// note sorts what did not resolve: left out, wrong, or trouble.
func (r *resolver) note(found resolved) error {
	code := exit.Of(found.err)
	var other *otherGatewayError
	switch {
	case code != exit.Usage && code != exit.NotFound:
		return found.err
	case code == exit.NotFound && r.unknown != nil:
		r.unknown(found.Entry)
		return nil
	case r.lax && !errors.As(found.err, &other):
		r.left.add(place(found.List, found.Line), "%v", found.err)
		return nil
	case r.bad.n == 0:
		r.code, r.bad.hint = code, exit.HintOf(found.err)
	case code != r.code:
		r.code = exit.Usage
	}
	r.bad.add(place(found.List, found.Line), "%v", found.err)
	return nil
}

// err tells all entries that did not resolve.
func (r *resolver) err() error {
	if r.bad.n == 0 {
		return nil
	}
	return exit.New(r.code, r.bad.hint, "%s", r.bad.text())
}

func lookUp(ctx context.Context, c *cmapi.Client, e Entry) resolved {
	out := resolved{Entry: e}
	var cert *cmapi.Certificate
	if e.CertID != "" {
		cert, out.err = checkRecord(ctx, c, e)
	} else {
		cert, out.err = findSerial(ctx, c, e)
	}
	if out.err == nil {
		out.certID, out.facts = cert.CertID, factsOf(cert)
		if out.facts.Organisation == "" {
			out.facts.Organisation = e.Organisation
		}
	}
	return out
}

func factsOf(c *cmapi.Certificate) bulk.Facts {
	return bulk.Facts{State: StateWords(c), Issuer: c.Issuer, Organisation: organisationOf(c.Subject)}
}

// Resolve turns entries into items with a certid each, in their order. An
// entry that names its certificate by certid alone costs no call. Serials and
// certificates are looked up, and whatever a record says besides the certid
// must be what the gateway says: certids are small local numbers, and a list
// from another gateway would hit the wrong certificates.
func Resolve(ctx context.Context, f *Factory, c *cmapi.Client, entries []Entry) ([]bulk.Item, error) {
	r := &resolver{client: func(context.Context) (*cmapi.Client, error) { return c, nil }}
	seen := map[string]bool{}
	var items []bulk.Item
	repeats := 0
	err := r.run(ctx, allOf(entries), func(found resolved) error {
		if seen[found.certID] {
			repeats++
			return nil
		}
		seen[found.certID] = true
		items = append(items, found.item())
		return nil
	})
	if err == nil {
		err = r.err()
	}
	if err != nil {
		return nil, err
	}
	tellRepeats(f, repeats)
	return items, nil
}

func allOf(entries []Entry) func(func(Entry) error) error {
	return func(emit func(Entry) error) error {
		for _, e := range entries {
			if err := emit(e); err != nil {
				return err
			}
		}
		return nil
	}
}

// item is what goes into a plan, without its group.
func (r resolved) item() bulk.Item {
	it := bulk.Item{Key: r.certID, Line: r.Line}
	if r.Input != r.certID {
		it.Input = r.Input
	}
	return it
}

func tellRepeats(f *Factory, n int) {
	if n > 0 {
		f.Notice("%s left out: the same certificates are named before", Plural(n, "repeat"))
	}
}

func findSerial(ctx context.Context, c *cmapi.Client, e Entry) (*cmapi.Certificate, error) {
	serial := e.Serial
	if e.Certificate != nil {
		serial = pki.SerialOf(e.Certificate.SerialNumber)
	}
	same, err := withSerial(ctx, c, serial)
	if err != nil {
		return nil, err
	}
	var found []cmapi.Certificate
	var other error
	for _, cert := range same {
		if err := contradiction(e, &cert); err != nil {
			other = err
			continue
		}
		if e.Certificate != nil {
			if same, err := sameCertificate(ctx, c, cert.CertID, e.Certificate.Raw); err != nil || !same {
				if err != nil {
					return nil, err
				}
				continue
			}
		}
		found = append(found, cert)
	}
	switch len(found) {
	case 1:
		return &found[0], nil
	case 0:
		if other != nil {
			return nil, other
		}
		what := "certificate " + e.Input
		if e.Certificate != nil {
			what = e.Input // is "certificate" and its serial
		}
		return nil, exit.New(exit.NotFound, "is this the right gateway? `cmctl cert search --serial` looks without a list", "no %s", what)
	}
	lines := make([]string, len(found))
	for i, cert := range found {
		lines[i] = output.Escape(fmt.Sprintf("  certid %s: %s, issued by %s", cert.CertID, cert.Subject, cert.Issuer)) // one line each, whatever is in them
	}
	return nil, exit.Usagef("name the one that is meant by its certid", "serial %s fits certificates of several issuers:\n%s", serial, strings.Join(lines, "\n"))
}

// withSerial are the certificates of a serial number, by whichever issuers.
func withSerial(ctx context.Context, c *cmapi.Client, serial pki.Serial) ([]cmapi.Certificate, error) {
	page, err := c.Certificates.List(ctx, cmapi.CertificateFilter{CertificateSerialNumber: serial.String(), SubjectType: everyType}, 0, 0)
	if err != nil {
		return nil, err
	}
	var found []cmapi.Certificate
	for _, cert := range page.Certificates {
		if cert.Serial.Equal(serial) {
			found = append(found, cert)
		}
	}
	return found, nil
}

// everyType asks for certificates of CAs as well.
var everyType = []string{"EE", "CA"}

func sameCertificate(ctx context.Context, c *cmapi.Client, certID string, der []byte) (bool, error) {
	blob, err := c.Certificates.Download(ctx, certID, cmapi.MediaDER, 0)
	if err != nil {
		return false, err
	}
	return string(blob.Bytes) == string(der), nil
}

func checkRecord(ctx context.Context, c *cmapi.Client, e Entry) (*cmapi.Certificate, error) {
	cert, err := c.Certificates.Details(ctx, e.CertID)
	if err != nil {
		if exit.Of(err) == exit.NotFound {
			err = exit.New(exit.NotFound, exit.HintOf(err), "certid %s is not known to the gateway", e.CertID)
		}
		return nil, err
	}
	return cert, contradiction(e, cert)
}

// otherGatewayError says that a list tells otherwise of a certificate than the
// gateway does: no line of such a list is to be trusted.
type otherGatewayError struct{ text string }

func (e *otherGatewayError) Error() string       { return e.text }
func (e *otherGatewayError) ExitCode() exit.Code { return exit.Usage }
func (e *otherGatewayError) Hint() string {
	return "the list is of another gateway, or old: make it anew with `cmctl cert search`"
}

// contradiction is what a record says besides its certid that the gateway does
// not say.
func contradiction(e Entry, cert *cmapi.Certificate) error {
	differs := func(what, list, gateway string) error {
		return &otherGatewayError{fmt.Sprintf("certid %s: the list says %s %s, the gateway %s", cert.CertID, what, list, gateway)}
	}
	switch {
	case e.Serial != "" && !e.Serial.Equal(cert.Serial):
		return differs("serial", e.Serial.String(), cert.Serial.String())
	case e.Issuer != "" && cert.Issuer != "" && !pki.SameName(e.Issuer, cert.Issuer) && e.Issuer != output.Escape(cert.Issuer):
		return differs("issuer", quoted(e.Issuer), quoted(cert.Issuer))
	case e.Subject != "" && e.Subject != cert.Subject && e.Subject != output.Escape(cert.Subject): // as -o csv writes it
		return differs("subject", quoted(e.Subject), quoted(cert.Subject))
	}
	return nil
}

// quoted keeps a message short when a list's name is not.
func quoted(name string) string { return fmt.Sprintf("%q", clipAt(name, clipName)) }
