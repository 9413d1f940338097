// Package revstatus finds out what the world is told of a certificate: by the
// CRL at its distribution point and by its OCSP responder. Signatures are
// checked against the issuer, times against the clock. A CRL is fetched and
// read once for all certificates that name it, and only the entries asked for
// are kept, so that thousands of certificates after a bulk run cost one pass
// over each list. It knows nothing of the gateway: what that says is the
// caller's to compare.
package revstatus

import (
	"context"
	"crypto/x509"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// State is what a CRL or a responder says.
type State string

// The states. Their words are contract.
const (
	None      State = "none"       // the certificate names no such source
	Good      State = "good"       // OCSP: not revoked
	NotListed State = "not-listed" // CRL: not revoked
	Revoked   State = "revoked"    // on hold too, with reason certificateHold
	Unknown   State = "unknown"    // OCSP: the responder does not know it
	Failed    State = "failed"     // no answer, or none that can be believed: see Err
)

// Answer is what one source says of one certificate.
type Answer struct {
	State      State
	Reason     pki.Reason // when revoked
	RevokedAt  time.Time
	ThisUpdate time.Time
	NextUpdate time.Time
	ProducedAt time.Time // OCSP
	Number     string    // CRL, decimal
	Responder  string    // OCSP: who signed; "issuer", or the delegated responder's name
	Nonce      bool      // OCSP: ours came back
	URL        string

	// Err is why there is no answer or, beside another state than Failed, why
	// the answer cannot be relied on: it is not valid yet or not any more.
	Err error
}

// Proven says that the source answered, and that the answer counts now.
func (a Answer) Proven() bool { return a.Err == nil }

// Result is what both sources say of one certificate.
type Result struct{ CRL, OCSP Answer }

// Target is a certificate that is asked about: little, for there may be
// hundreds of thousands.
type Target struct {
	Serial pki.Serial
	Issuer *x509.Certificate // who signs CRL and OCSP; certificates of one issuer share it
	CRLs   []string          // URLs of the same list; the first that answers counts
	OCSPs  []string
	CA     bool // it is a CA's: some lists are for these only, or for others only

	// What Visible looks for: a hold, or for good.
	OnHold bool
}

// Sourceless says that there is neither a CRL nor a responder to ask; then no
// issuer is needed.
func (t *Target) Sourceless() bool { return len(t.CRLs) == 0 && len(t.OCSPs) == 0 }

// Visible says whether the revocation is published: proven, by the CRL and,
// where the certificate names a responder, by OCSP as well. A hold that has
// become a revocation is not visible while a source still says hold.
func (t *Target) Visible(r Result) bool {
	shows := func(a Answer) bool {
		return a.State == Revoked && a.Proven() && (t.OnHold || a.Reason != pki.CertificateHold)
	}
	switch {
	case r.CRL.State == None && r.OCSP.State == None:
		return false
	case r.CRL.State == None:
		return shows(r.OCSP)
	}
	return shows(r.CRL) && (r.OCSP.State == None || shows(r.OCSP))
}

// Options say how sources are asked.
type Options struct {
	CRLURL, OCSPURL string         // instead of those that certificates name
	Timeout         time.Duration  // of one fetch; 0: DefaultTimeout
	RootCAs         *x509.CertPool // for https; nil: the system's
	UserAgent       string
	Now             func() time.Time // nil: time.Now
}

// DefaultTimeout is how long one fetch may take unless told otherwise.
const DefaultTimeout = 30 * time.Second

// How many sources are asked at a time. A list may be long, and takes its
// memory while it is read.
const (
	parallelCRL  = 2
	parallelOCSP = 8
)

// Checker asks CRLs and responders. It is safe for concurrent use.
type Checker struct {
	o     Options
	fetch fetcher

	mu      sync.Mutex
	issuers map[string][]*x509.Certificate // by name
	urls    map[string][]string            // lists of URLs, each kept once
}

// New makes a Checker; the URLs of the options are checked.
func New(o Options) (*Checker, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	for _, u := range []string{o.CRLURL, o.OCSPURL} {
		if u == "" {
			continue
		}
		if err := checkURL(u); err != nil {
			return nil, exit.Usagef("expected a URL such as http://crl.example.com/ca.crl", "%w", err)
		}
	}
	return &Checker{o: o, fetch: newFetcher(o), issuers: map[string][]*x509.Certificate{}, urls: map[string][]string{}}, nil
}

// Close ends idle connections.
func (c *Checker) Close() { c.fetch.client.CloseIdleConnections() }

// Target is a certificate to ask about, as Issuer found its issuer.
func (c *Checker) Target(cert, issuer *x509.Certificate) Target {
	return Target{
		Serial: pki.SerialOf(cert.SerialNumber), Issuer: issuer, CA: cert.IsCA,
		CRLs: c.sources(c.o.CRLURL, cert.CRLDistributionPoints), OCSPs: c.sources(c.o.OCSPURL, cert.OCSPServer),
	}
}

// sources keeps one copy of each list of URLs, whatever the number of
// certificates that name it.
func (c *Checker) sources(instead string, named []string) []string {
	if instead != "" {
		named = []string{instead}
	}
	if len(named) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := strings.Join(named, "\n")
	if c.urls[key] == nil {
		c.urls[key] = named
	}
	return c.urls[key]
}

// checkURL takes what can be fetched: ldap URLs, which certificates name as
// well, cannot.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return exit.New(exit.Failure, "", "what stands there is no URL") // and may hold a password
	case u.Scheme != "http" && u.Scheme != "https":
		return exit.New(exit.Failure, "", "%q is not a URL of http or https", u.Redacted())
	case u.Host == "":
		return exit.New(exit.Failure, "", "%q names no host", u.Redacted())
	case u.User != nil:
		return exit.New(exit.Failure, "", "%q names a user: CRLs and OCSP are for everybody", u.Redacted())
	}
	return nil
}

// Check asks once. results[i] is of targets[i].
func (c *Checker) Check(ctx context.Context, targets []Target) []Result {
	results := make([]Result, len(targets))
	all := make([]int, len(targets))
	for i := range all {
		all[i] = i
	}
	c.look(ctx, targets, all, results, nil)
	return results
}

// look asks about some of the targets. kept holds lists between two looks; nil
// keeps none.
func (c *Checker) look(ctx context.Context, targets []Target, which []int, results []Result, kept *lists) {
	var crls, ocsps errgroup.Group
	crls.SetLimit(parallelCRL)
	ocsps.SetLimit(parallelOCSP)
	for _, g := range groups(targets, which) {
		crls.Go(func() error {
			c.askCRL(ctx, targets, g, results, kept)
			return nil
		})
	}
	_ = crls.Wait()
	for _, i := range which {
		if len(targets[i].OCSPs) == 0 {
			results[i].OCSP = Answer{State: None}
			continue
		}
		ocsps.Go(func() error {
			results[i].OCSP = c.askOCSP(ctx, &targets[i])
			return nil
		})
	}
	_ = ocsps.Wait()
}

// groups parts targets by the list that tells of them.
func groups(targets []Target, which []int) [][]int {
	type key struct {
		issuer *x509.Certificate
		urls   string
	}
	place := map[key]int{}
	var out [][]int
	for _, i := range which {
		k := key{targets[i].Issuer, strings.Join(targets[i].CRLs, "\n")}
		at, ok := place[k]
		if !ok {
			at = len(out)
			place[k] = at
			out = append(out, nil)
		}
		out[at] = append(out[at], i)
	}
	return out
}
