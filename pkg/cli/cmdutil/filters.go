package cmdutil

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// FilterFlags are the search filters: one flag for each parameter of
// listCertificates, --param for those of a newer gateway, and those that people
// think in, which the gateway answers in part only (query.go).
type FilterFlags struct {
	f       cmapi.CertificateFilter
	serial  string
	types   []string
	reasons []string
	times   []*timeFlag
	within  string
	since   string
	status  []string
	match   []string
	params  []string

	flags *pflag.FlagSet // these alone
}

type timeFlag struct {
	name, text string
	target     *time.Time
}

// AddFilterFlags adds the filters to a command.
func AddFilterFlags(cmd *cobra.Command) *FilterFlags {
	ff := NewFilterFlags(cmd.Flags())
	completeFilters(cmd)
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"EE", "CA", "EE,CA"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(States(), cobra.ShellCompDirectiveNoFileComp))
	return ff
}

// AddIssuerFilterFlags adds those that listIssuers has.
func AddIssuerFilterFlags(cmd *cobra.Command) *FilterFlags {
	ff := newFilterFlags(cmapi.IssuerParameters())
	cmd.Flags().AddFlagSet(ff.flags)
	completeFilters(cmd)
	return ff
}

func completeFilters(cmd *cobra.Command) {
	_ = cmd.RegisterFlagCompletionFunc("reason", cobra.FixedCompletions(ReasonWords(pki.SearchReasons()), cobra.ShellCompDirectiveNoFileComp))
}

// NewFilterFlags adds the filters to a set of flags, which need not be those of
// a command: a verb may take a whole search as one value.
func NewFilterFlags(add *pflag.FlagSet) *FilterFlags {
	ff := newFilterFlags(cmapi.FilterParameters())
	fs := ff.flags
	fs.StringSliceVar(&ff.status, "status", nil, "only certificates in one of these `states`, joined by commas {"+strings.Join(States(), "|")+"}; revoked are those revoked for good")
	fs.StringArrayVar(&ff.match, "match", nil, "only those whose subject, issuer or serial fits this RE2 `regex`; FIELD=regex looks at one of {"+strings.Join(matchFields(), "|")+"}, and another word is refused: write WORD[=]; repeatable, all must fit")
	add.AddFlagSet(fs)
	return ff
}

func newFilterFlags(known []string) *FilterFlags {
	ff := &FilterFlags{flags: pflag.NewFlagSet("", pflag.ContinueOnError)}
	f, fs := &ff.f, ff.flags
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
	}
	fs.StringSliceVar(&ff.reasons, "reason", nil, "revoked for one of these `reasons`, words or numbers, joined by commas {"+strings.Join(ReasonWords(pki.SearchReasons()), "|")+"} (API: revocationReason)")

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
	fs.StringVar(&ff.since, "issued-since", "", "validity starts at this `time` or later, such as -7d")
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

// filter is what the gateway is asked, but for --status.
func (ff *FilterFlags) filter(now time.Time) (cmapi.CertificateFilter, error) {
	if err := ff.notEmpty(); err != nil {
		return ff.f, err
	}
	for _, t := range ff.times {
		if t.text == "" {
			continue
		}
		at, err := pki.ParseTime(t.text, now)
		if err == nil && strings.HasPrefix(t.name, "revoked-") {
			err = behind(t.text)
		}
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
	if err := ff.shortTimes(&f, now); err != nil {
		return f, err
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

// notEmpty refuses a filter that is no filter: a script's variable had no value,
// and the search would find everything.
func (ff *FilterFlags) notEmpty() (err error) {
	ff.flags.VisitAll(func(fl *pflag.Flag) {
		if err == nil && fl.Changed && isEmpty(fl) {
			err = exit.Usagef("leave the flag out to search without it", "--%s is empty", fl.Name)
		}
	})
	return err
}

// shortTimes are the everyday forms of pairs of times.
func (ff *FilterFlags) shortTimes(f *cmapi.CertificateFilter, now time.Time) error {
	if ff.within != "" {
		if !f.ValidToTimeFrom.IsZero() || !f.ValidToTimeTo.IsZero() {
			return exit.Usagef("", "--expires-within stands for --expires-after now --expires-before TIME: give one or the others")
		}
		until, err := pki.ParseTime(ff.within, now)
		switch {
		case err != nil:
			return flagError("expires-within", err)
		case !until.After(now):
			return exit.Usagef("--expired finds those that have expired", "--expires-within %s: that is not ahead", ff.within)
		}
		f.ValidToTimeFrom, f.ValidToTimeTo = now, until
	}
	if ff.since != "" {
		if !f.ValidFromTimeFrom.IsZero() {
			return exit.Usagef("", "--issued-since and --valid-from-after both say when validity starts: give one of them")
		}
		since, err := pki.ParseTime(ff.since, now)
		if err == nil {
			err = behind(ff.since)
		}
		if err != nil {
			return flagError("issued-since", err)
		}
		// The API's bound is exclusive and certificates know whole seconds.
		f.ValidFromTimeFrom = since.Add(-time.Nanosecond).Truncate(time.Second)
	}
	return nil
}

// behind refuses a relative time ahead where only the past can be meant: 7d for
// -7d finds nothing, or everything, and passes for an answer. The other times
// may lie ahead: validity, publication and OCSP activation can be set to start
// later. A point in time is taken as it is written: it may come from a gateway
// whose clock is a little ahead.
func behind(text string) error {
	if !pki.LiesAhead(text) {
		return nil
	}
	text = strings.TrimPrefix(strings.TrimSpace(text), "+")
	return exit.Usagef("write -"+text+" for that long ago", "%s lies ahead", clip(text))
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
