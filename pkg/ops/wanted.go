package ops

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/search"
)

// wanted is what tells the certificate that one request brought about from
// every other.
type wanted struct {
	spki  []byte            // its public key; nil when the server makes the key
	cn    string            // its common name; may be empty
	since time.Time         // its validity began no earlier
	until time.Time         // and, when this is set, earlier than that
	older map[string]bool   // certids that were there before the send
	leaf  *x509.Certificate // the certificate itself, when only its certid is sought
}

// lateArrival is how long after the send a request may still have brought
// something about. What came later with the same name is somebody else's.
const lateArrival = 10 * time.Minute

// leftBehind is what a request may have brought about whose run has ended since.
func (r *Runner) leftBehind(cn string, validFrom, sent time.Time) *wanted {
	w := &wanted{cn: cn, since: sent.Add(-clockSkew), until: sent.Add(lateArrival), older: r.memory().issuedSoFar()}
	if !validFrom.IsZero() {
		w.since, w.until = validFrom.Add(-time.Second), validFrom.Add(time.Second)
	}
	return w
}

var everyType = []string{"EE", "CA"}

// filters are the searches that may find it: by key identifier in both ways
// that CAs make it, else by common name.
func (w *wanted) filters() ([]cmapi.CertificateFilter, error) {
	var skis []string
	switch {
	case w.leaf != nil && len(w.leaf.SubjectKeyId) > 0:
		skis = []string{hex.EncodeToString(w.leaf.SubjectKeyId)}
	case w.spki != nil:
		var err error
		if skis, err = pki.SKIs(w.spki); err != nil {
			return nil, err
		}
	}
	var filters []cmapi.CertificateFilter
	for _, ski := range skis {
		filters = append(filters, cmapi.CertificateFilter{SubjectKeyIdentifier: ski, SubjectType: everyType})
	}
	if w.cn != "" {
		f := cmapi.CertificateFilter{SubjectCommonName: w.cn, SubjectType: everyType}
		if w.leaf == nil {
			f.ValidFromTimeFrom = w.since
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// noteOlder notes what is there before a certificate with a wanted start of
// validity is asked for: its start then tells nothing of when it was issued.
func (r *Runner) noteOlder(ctx context.Context, w *wanted, start time.Time) error {
	w.since = start.Add(-time.Second)
	if w.older == nil {
		w.older = map[string]bool{}
	}
	filters, err := w.filters()
	if err != nil {
		return err
	}
	for _, f := range filters {
		page, err := r.Client.Certificates.List(ctx, f, 0, 0)
		if err != nil {
			return err
		}
		for _, c := range page.Certificates {
			w.older[c.CertID] = true
		}
	}
	return nil
}

// exchangeFor sends a request that issues. What it issues is looked for from the
// send on, unless the start of its validity was asked for.
func (r *Runner) exchangeFor(ctx context.Context, w *wanted, call cmapi.Request, in cmapi.IssueRequest) (*cmapi.Answer, error) {
	sentAt, answer, err := r.exchange(ctx, call)
	if in.ValidFrom.IsZero() {
		w.since = sentAt.Add(-clockSkew)
	}
	return answer, err
}

// findIssued searches for the wanted certificate. A CA that sets the start of
// validity further back than clocks lie apart is not believed: to take an
// older certificate of the same key for the new one would be worse than to say
// that nothing was found.
func (r *Runner) findIssued(ctx context.Context, w *wanted) (*cmapi.Certificate, error) {
	filters, err := w.filters()
	if err != nil {
		return nil, err
	}
	for _, f := range filters {
		page, err := r.Client.Certificates.List(ctx, f, 0, 0)
		if err != nil {
			return nil, err
		}
		for i := len(page.Certificates) - 1; i >= 0; i-- { // the newest first, as most gateways list
			c := &page.Certificates[i]
			same, err := r.isIssued(ctx, c, w)
			if err != nil {
				return nil, err
			}
			if same {
				return c, nil
			}
		}
	}
	return nil, nil
}

// isIssued compares serial and issuer when the certificate is known, else the
// public keys of what is new.
func (r *Runner) isIssued(ctx context.Context, c *cmapi.Certificate, w *wanted) (bool, error) {
	if w.leaf != nil {
		return isListed(c, w.leaf), nil
	}
	if !w.isNew(c) {
		return false, nil
	}
	blob, err := r.Client.Certificates.Download(ctx, c.CertID, cmapi.MediaDER, 0)
	if err != nil {
		return false, err
	}
	cert, err := x509.ParseCertificate(blob.Bytes)
	if err != nil {
		return false, nil // not X.509: not ours
	}
	return string(cert.RawSubjectPublicKeyInfo) == string(w.spki), nil
}

// isListed tells whether a search shows this certificate: by serial, and by
// issuer where it is shown as a name and not as bare values (docs/api-notes.md, 27).
func isListed(c *cmapi.Certificate, cert *x509.Certificate) bool {
	_, err := pki.ParseName(c.Issuer)
	return c.Serial.Equal(pki.SerialOf(cert.SerialNumber)) && (err != nil || c.Issuer == "" || pki.SameName(c.Issuer, pki.DN(cert.RawIssuer)))
}

func (w *wanted) isNew(c *cmapi.Certificate) bool {
	return !w.older[c.CertID] && (c.ValidFrom.IsZero() || !c.ValidFrom.Before(w.since))
}

// Before a send it is noted what is there already, as far back as clocks may
// lie apart: a day where a common name narrows the search, a minute where
// nothing does.
const (
	namedWindow   = 24 * time.Hour
	unnamedWindow = time.Minute
)

// noteArrived notes the certificates of the same common name that came of
// late. Where the server makes the key, or there is none, nothing else tells
// the certificate of a lost answer from those of other requests.
func (r *Runner) noteArrived(ctx context.Context, w *wanted, validFrom time.Time) error {
	switch now := r.Client.Now(); {
	case w.cn == "" && !validFrom.IsZero():
		w.since, w.until = validFrom.Add(-time.Second), validFrom.Add(time.Second)
	case w.cn == "":
		w.since = now.Add(-unnamedWindow)
	case !validFrom.IsZero() && validFrom.Before(now):
		w.since = validFrom.Add(-namedWindow)
	default:
		w.since = now.Add(-namedWindow)
	}
	certs, err := r.arrivals(ctx, w)
	if err != nil {
		return err
	}
	w.older = map[string]bool{}
	for _, c := range certs {
		w.older[c.CertID] = true
	}
	return nil
}

// arrivals are the certificates that may be the wanted one of a key that the
// server made: of its common name, and not there before.
func (r *Runner) arrivals(ctx context.Context, w *wanted) ([]cmapi.Certificate, error) {
	f := cmapi.CertificateFilter{SubjectCommonName: w.cn, SubjectType: everyType, ValidFromTimeFrom: w.since, ValidFromTimeTo: w.until}
	var found []cmapi.Certificate
	err := search.Run(ctx, r.Client.Certificates, f, search.Options{}, func(cs []cmapi.Certificate) error {
		found = append(found, cs...)
		return nil
	})
	var incomplete *search.IncompleteError
	if err != nil && !errors.As(err, &incomplete) {
		return nil, err
	}
	return slices.DeleteFunc(found, func(c cmapi.Certificate) bool { return !w.isNew(&c) }), nil
}
