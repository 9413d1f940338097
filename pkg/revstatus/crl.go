package revstatus

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// crl is a list whose signature is good. Its entries are left as they came:
// there may be a million, and few are asked for.
type crl struct {
	number                 string
	thisUpdate, nextUpdate time.Time
	entries                cryptobyte.String
	onlyUsers, onlyCAs     bool
}

// lists keeps lists between two looks, by URL and issuer, so that one that did
// not change is neither sent nor read again.
type lists struct {
	mu   sync.Mutex
	kept map[listKey]keptList
}

type listKey struct {
	url    string
	issuer *x509.Certificate
}

type keptList struct {
	content *content
	list    *crl
}

func (l *lists) get(k listKey) keptList {
	if l == nil {
		return keptList{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept[k]
}

func (l *lists) put(k listKey, v keptList) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept[k] = v
}

// askCRL finds the targets of a group, which share issuer and URLs, in their
// list.
func (c *Checker) askCRL(ctx context.Context, targets []Target, group []int, results []Result, kept *lists) {
	t := &targets[group[0]]
	answer := Answer{State: None}
	var list *crl
	if len(t.CRLs) > 0 {
		var err error
		list, answer.URL, err = firstOf(t.CRLs, func(url string) (*crl, error) { return c.fetchCRL(ctx, url, t.Issuer, kept) })
		if err != nil {
			answer.State, answer.Err = Failed, err
		}
	}
	if list == nil {
		for _, i := range group {
			results[i].CRL = answer
		}
		return
	}
	answer.State, answer.Number = NotListed, list.number
	answer.ThisUpdate, answer.NextUpdate = list.thisUpdate, list.nextUpdate
	answer.Err = current("the CRL", list.thisUpdate, list.nextUpdate, c.o.Now())
	wanted := make(map[string]int, len(group))
	for _, i := range group {
		results[i].CRL = answer
		if list.onlyUsers && targets[i].CA || list.onlyCAs && !targets[i].CA {
			results[i].CRL.State = Failed
			results[i].CRL.Err = exit.New(exit.Failure, "", "%s: the CRL is not for certificates of this kind", answer.URL)
			continue
		}
		wanted[octets(targets[i].Serial)] = i
	}
	err := list.find(wanted, func(i int, e entry) {
		a := &results[i].CRL
		a.State, a.Reason, a.RevokedAt = Revoked, e.reason, e.at
	})
	if err != nil {
		for _, i := range wanted {
			results[i].CRL.State, results[i].CRL.Err = Failed, exit.New(exit.Unavailable, "", "%s: %w", answer.URL, err)
		}
	}
}

// octets is a serial as DER holds it, without the sign octet.
func octets(s pki.Serial) string {
	digits := strings.TrimLeft(string(s), "0")
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return string(s) // no serial that a list could hold
	}
	return string(b)
}

func (c *Checker) fetchCRL(ctx context.Context, url string, issuer *x509.Certificate, kept *lists) (*crl, error) {
	k := listKey{url, issuer}
	before := kept.get(k)
	got, err := c.fetch.get(ctx, url, "application/pkix-crl, */*;q=0.5", maxCRL, before.content)
	if err != nil {
		return nil, err
	}
	if before.list != nil && (got.unchanged || bytes.Equal(got.body, before.content.body)) {
		return before.list, nil
	}
	list, err := parseCRL(got.body, issuer)
	if err != nil {
		return nil, err
	}
	kept.put(k, keptList{got, list})
	return list, nil
}

var (
	oidReason   = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidDelta    = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidIssuedBy = asn1.ObjectIdentifier{2, 5, 29, 28}
)

var errNoCRL = errors.New("no CRL: it cannot be decoded")

// parseCRL reads and proves a CRL. crypto/x509 reads what it says but for its
// entries, of which it would make some hundred bytes each: it is given the
// list without them, and the signature is checked over the whole.
func parseCRL(body []byte, issuer *x509.Certificate) (*crl, error) {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("-----BEGIN ")) {
		block, _ := pem.Decode(bytes.TrimSpace(body))
		if block == nil || block.Type != "X509 CRL" {
			return nil, exit.New(exit.Unavailable, "", "%w", errNoCRL)
		}
		body = block.Bytes
	}
	signed, short, entries, ok := outlineCRL(body)
	if !ok {
		return nil, exit.New(exit.Unavailable, "", "%w", errNoCRL)
	}
	head, err := x509.ParseRevocationList(short)
	if err != nil {
		return nil, exit.New(exit.Unavailable, "", "%w: %v", errNoCRL, err)
	}
	if !bytes.Equal(head.RawIssuer, issuer.RawSubject) {
		return nil, exit.New(exit.Failure, "", "the CRL is by %s, not by the certificate's issuer %s", pki.DN(head.RawIssuer), pki.DN(issuer.RawSubject))
	}
	if err := issuer.CheckSignature(head.SignatureAlgorithm, signed, head.Signature); err != nil {
		return nil, exit.New(exit.Failure, "", "the CRL is not signed by the issuer: %w", err)
	}
	if issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return nil, exit.New(exit.Failure, "", "the issuer's certificate does not allow it to sign CRLs")
	}
	list := &crl{thisUpdate: head.ThisUpdate, nextUpdate: head.NextUpdate, entries: entries}
	if head.Number != nil {
		list.number = head.Number.String()
	}
	for _, e := range head.Extensions {
		switch {
		case e.Id.Equal(oidDelta):
			return nil, exit.New(exit.Failure, "", "it is a delta CRL, which alone does not tell")
		case e.Id.Equal(oidIssuedBy):
			if err := list.scope(e.Value); err != nil {
				return nil, err
			}
		case e.Critical:
			return nil, exit.New(exit.Failure, "", "the CRL has a critical extension %s that is not known here", e.Id)
		}
	}
	return list, nil
}

// outlineCRL gives what is signed, the CRL without its entries, and these.
func outlineCRL(der []byte) (signed, short []byte, entries cryptobyte.String, ok bool) {
	in := cryptobyte.String(der)
	var outer, tbs, rest cryptobyte.String
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return nil, nil, nil, false
	}
	signed, rest = tbs, outer
	var body, time cryptobyte.String
	if !tbs.ReadASN1(&body, cbasn1.SEQUENCE) {
		return nil, nil, nil, false
	}
	whole := body
	var tag cbasn1.Tag
	if !body.SkipOptionalASN1(cbasn1.INTEGER) || !body.SkipASN1(cbasn1.SEQUENCE) || !body.SkipASN1(cbasn1.SEQUENCE) ||
		!body.ReadAnyASN1Element(&time, &tag) {
		return nil, nil, nil, false
	}
	if body.PeekASN1Tag(cbasn1.UTCTime) || body.PeekASN1Tag(cbasn1.GeneralizedTime) {
		body.ReadAnyASN1Element(&time, &tag)
	}
	before := whole[:len(whole)-len(body)]
	if body.PeekASN1Tag(cbasn1.SEQUENCE) && !body.ReadASN1(&entries, cbasn1.SEQUENCE) {
		return nil, nil, nil, false
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(before)
			b.AddBytes(body)
		})
		b.AddBytes(rest)
	})
	short, err := b.Bytes()
	return signed, short, entries, err == nil
}

// scope reads IssuingDistributionPoint: which certificates the list is for.
func (l *crl) scope(der []byte) error {
	var point struct {
		Name          asn1.RawValue `asn1:"optional,tag:0"`
		OnlyUsers     bool          `asn1:"optional,tag:1"`
		OnlyCAs       bool          `asn1:"optional,tag:2"`
		Reasons       asn1.RawValue `asn1:"optional,tag:3"`
		Indirect      bool          `asn1:"optional,tag:4"`
		OnlyAttribute bool          `asn1:"optional,tag:5"`
	}
	rest, err := asn1.Unmarshal(der, &point)
	switch {
	case err != nil || len(rest) > 0:
		return exit.New(exit.Unavailable, "", "%w", errNoCRL)
	case point.Indirect:
		return exit.New(exit.Failure, "", "it is an indirect CRL, which is not read here")
	case len(point.Reasons.FullBytes) > 0:
		return exit.New(exit.Failure, "", "the CRL is for some reasons only, which alone does not tell")
	case point.OnlyAttribute:
		return exit.New(exit.Failure, "", "the CRL is for attribute certificates only")
	}
	l.onlyUsers, l.onlyCAs = point.OnlyUsers, point.OnlyCAs
	return nil
}

// entry is a line of a CRL.
type entry struct {
	at     time.Time
	reason pki.Reason
}

// find goes through the entries once and tells of those wanted.
func (l *crl) find(wanted map[string]int, found func(i int, e entry)) error {
	for rest := l.entries; !rest.Empty(); {
		var line, serial cryptobyte.String
		if !rest.ReadASN1(&line, cbasn1.SEQUENCE) || !line.ReadASN1(&serial, cbasn1.INTEGER) {
			return errNoCRL
		}
		for len(serial) > 0 && serial[0] == 0 {
			serial = serial[1:]
		}
		i, ok := wanted[string(serial)]
		if !ok {
			continue
		}
		e, err := readEntry(line)
		if err != nil {
			return err
		}
		found(i, e)
	}
	return nil
}

// readEntry reads what follows the serial. An extension that is not known is
// no reason to doubt the revocation.
func readEntry(in cryptobyte.String) (e entry, err error) {
	var at cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadAnyASN1Element(&at, &tag) {
		return e, errNoCRL
	}
	if rest, err := asn1.Unmarshal(at, &e.at); err != nil || len(rest) > 0 {
		return e, errNoCRL
	}
	e.at = e.at.UTC()
	var list cryptobyte.String
	var present bool
	if !in.ReadOptionalASN1(&list, &present, cbasn1.SEQUENCE) {
		return e, errNoCRL
	}
	for !list.Empty() {
		var ext, value cryptobyte.String
		var id asn1.ObjectIdentifier
		if !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&id) || !ext.SkipOptionalASN1(cbasn1.BOOLEAN) ||
			!ext.ReadASN1(&value, cbasn1.OCTET_STRING) {
			return e, errNoCRL
		}
		if id.Equal(oidReason) {
			var code int
			if !value.ReadASN1Enum(&code) {
				return e, errNoCRL
			}
			e.reason = pki.Reason(code)
		}
	}
	return e, nil
}

// skew is how far clocks may differ.
const skew = 5 * time.Minute

// current says why an answer does not count now, nil when it does.
func current(what string, from, to, now time.Time) error {
	switch {
	case from.After(now.Add(skew)):
		return exit.New(exit.Unavailable, "is the clock right?", "%s is not valid before %s", what, pki.FormatTime(from))
	case !to.IsZero() && to.Before(now.Add(-skew)):
		return exit.New(exit.Unavailable, "", "%s has expired: a new one was due at %s", what, pki.FormatTime(to))
	}
	return nil
}
