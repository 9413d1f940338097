package cmdutil

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// FilterFlags are the search filters: one flag for each parameter of
// listCertificates, and --param for those of a newer gateway.
type FilterFlags struct {
	f       cmapi.CertificateFilter
	serial  string
	types   []string
	reasons []string
	times   []*timeFlag
	within  string
	params  []string
}

type timeFlag struct {
	name, text string
	target     *time.Time
}

// AddFilterFlags adds the filters to a command.
func AddFilterFlags(cmd *cobra.Command) *FilterFlags {
	return addFilterFlags(cmd, cmapi.FilterParameters())
}

// AddIssuerFilterFlags adds those that listIssuers has.
func AddIssuerFilterFlags(cmd *cobra.Command) *FilterFlags {
	return addFilterFlags(cmd, cmapi.IssuerParameters())
}

func addFilterFlags(cmd *cobra.Command, known []string) *FilterFlags {
	ff := &FilterFlags{}
	f, fs := &ff.f, cmd.Flags()
	has := func(api string) bool { return slices.Contains(known, api) }
	text := func(p *string, name, usage, api string) {
		if has(api) {
			fs.StringVar(p, name, "", usage+" (API: "+api+")")
		}
	}
	text(&f.SubjectCommonName, "cn", "subject common name", "subjectCommonName")
	text(&f.SubjectGivenName, "given-name", "subject given name", "subjectGivenName")
	text(&f.SubjectSurName, "surname", "subject surname", "subjectSurName")
	text(&f.SubjectOrganisationName, "org", "subject organisation", "subjectOrganisationName")
	text(&f.SubjectOrganisationUnit, "ou", "subject organisational unit", "subjectOrganisationUnit")
	text(&f.SubjectSerialNumber, "subject-serial", "serial number attribute of the subject", "subjectSerialNumber")
	text(&f.SubjectCountry, "country", "subject country", "subjectCountry")
	text(&f.CardSerialNumber, "card-serial", "serial number of the card that holds it", "cardSerialNumber")
	text(&ff.serial, "serial", "certificate serial number: hex, with or without 0x and colons, or dec:123", "certificateSerialNumber")
	text(&f.Issuer, "issuer", "issuer DN as in RFC 1779: cn=Demo Issuing CA,o=Demo,c=SE", "issuer")
	text(&f.AuthorityKeyIdentifier, "aki", "authority key identifier, hex", "authorityKeyIdentifier")
	text(&f.SubjectKeyIdentifier, "ski", "subject key identifier, hex", "subjectKeyIdentifier")
	for i, p := range []*string{&f.Field1, &f.Field2, &f.Field3, &f.Field4, &f.Field5, &f.Field6} {
		n := string(rune('1' + i))
		text(p, "field"+n, "extended search field "+n, "field"+n)
	}
	if has("subjectType") {
		fs.StringSliceVar(&ff.types, "type", nil, "subject `types` EE, CA or EE,CA; end entities only by default (API: subjectType)")
		_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"EE", "CA", "EE,CA"}, cobra.ShellCompDirectiveNoFileComp))
	}
	fs.StringSliceVar(&ff.reasons, "reason", nil, "revoked for one of these `reasons`, words or numbers, joined by commas {"+strings.Join(ReasonWords(pki.SearchReasons()), "|")+"} (API: revocationReason)")
	_ = cmd.RegisterFlagCompletionFunc("reason", cobra.FixedCompletions(ReasonWords(pki.SearchReasons()), cobra.ShellCompDirectiveNoFileComp))

	flag := func(p *bool, name, usage, api string) {
		if has(api) {
			fs.BoolVar(p, name, false, usage+" (API: "+api+")")
		}
	}
	flag(&f.IsNotRevoked, "not-revoked", "leave revoked certificates out", "isNotRevoked")
	flag(&f.PublicationAllowed, "published", "only those that may be published", "publicationAllowed")
	flag(&f.IsNotYetValid, "not-yet-valid", "only those whose validity starts in the future", "isNotYetValid")
	flag(&f.IsExpired, "expired", "only expired ones", "isExpired")

	for _, t := range []struct {
		target           *time.Time
		name, usage, api string
	}{
		{&f.RevocationTimeFrom, "revoked-after", "revoked after", "revocationTimeFrom"},
		{&f.RevocationTimeTo, "revoked-before", "revoked before", "revocationTimeTo"},
		{&f.PublicationTimeFrom, "published-after", "published after", "publicationTimeFrom"},
		{&f.PublicationTimeTo, "published-before", "published before", "publicationTimeTo"},
		{&f.OCSPActivationTimeFrom, "ocsp-after", "activated for OCSP after", "ocspActivationTimeFrom"},
		{&f.OCSPActivationTimeTo, "ocsp-before", "activated for OCSP before", "ocspActivationTimeTo"},
		{&f.ValidFromTimeFrom, "valid-from-after", "validity starts after", "validFromTimeFrom"},
		{&f.ValidFromTimeTo, "valid-from-before", "validity starts before", "validFromTimeTo"},
		{&f.ValidToTimeFrom, "expires-after", "validity ends after", "validToTimeFrom"},
		{&f.ValidToTimeTo, "expires-before", "validity ends before", "validToTimeTo"},
	} {
		tf := &timeFlag{name: t.name, target: t.target}
		ff.times = append(ff.times, tf)
		fs.StringVar(&tf.text, t.name, "", t.usage+" this `time` (API: "+t.api+")")
	}
	fs.StringVar(&ff.within, "expires-within", "", "validity ends between now and this `time`, such as 30d")
	fs.StringArrayVar(&ff.params, "param", nil, "a parameter that only a newer gateway knows, as `NAME=VALUE`; repeatable")
	return ff
}

// ReasonWords are reasons as words.
func ReasonWords(rs []pki.Reason) []string {
	words := make([]string, len(rs))
	for i, r := range rs {
		words[i] = r.String()
	}
	return words
}

// Filter is what the flags say. now is what relative times count from.
func (ff *FilterFlags) Filter(now time.Time) (cmapi.CertificateFilter, error) {
	for _, t := range ff.times {
		if t.text == "" {
			continue
		}
		at, err := pki.ParseTime(t.text, now)
		if err != nil {
			return ff.f, flagError(t.name, err)
		}
		*t.target = at
	}
	f := ff.f
	if ff.serial != "" {
		s, err := pki.ParseHexSerial(ff.serial)
		if err != nil {
			return f, flagError("serial", err)
		}
		f.CertificateSerialNumber = s.String()
	}
	for _, k := range []struct {
		name string
		text *string
	}{{"aki", &f.AuthorityKeyIdentifier}, {"ski", &f.SubjectKeyIdentifier}} {
		if *k.text == "" {
			continue
		}
		id, err := keyIdentifier(*k.text)
		if err != nil {
			return f, flagError(k.name, err)
		}
		*k.text = id
	}
	for _, t := range ff.types {
		t = strings.ToUpper(t)
		if t != "EE" && t != "CA" {
			return f, exit.Usagef("", "--type %s: expected EE, CA or EE,CA", t)
		}
		f.SubjectType = append(f.SubjectType, t)
	}
	for _, w := range ff.reasons {
		r, err := pki.ParseReason(w)
		if err != nil {
			return f, flagError("reason", err)
		}
		f.RevocationReason = append(f.RevocationReason, int(r))
	}
	if ff.within != "" {
		if !f.ValidToTimeFrom.IsZero() || !f.ValidToTimeTo.IsZero() {
			return f, exit.Usagef("", "--expires-within stands for --expires-after now --expires-before TIME: give one or the others")
		}
		until, err := pki.ParseTime(ff.within, now)
		if err != nil {
			return f, flagError("expires-within", err)
		}
		f.ValidToTimeFrom, f.ValidToTimeTo = now, until
	}
	for _, p := range ff.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return f, exit.Usagef("", "--param %q: expected NAME=VALUE", p)
		}
		if slices.Contains(cmapi.FilterParameters(), name) {
			return f, exit.Usagef("", "--param %s: this parameter has a flag of its own or belongs to paging", name)
		}
		if f.Extra == nil {
			f.Extra = url.Values{}
		}
		f.Extra.Add(name, value)
	}
	return f, checkFilter(&f)
}

// keyIdentifier reads a key identifier as certificate viewers print it: hex,
// perhaps with colons or blanks. The gateway compares it as it is sent.
func keyIdentifier(s string) (string, error) {
	h := strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(strings.TrimPrefix(s, "0x")))
	if _, err := hex.DecodeString(h); err != nil || h == "" {
		return "", fmt.Errorf("%q is no key identifier: expected pairs of hex digits, perhaps with colons", clip(s))
	}
	return h, nil
}

func flagError(name string, err error) error {
	return exit.Usagef(exit.HintOf(err), "--%s: %w", name, err)
}
