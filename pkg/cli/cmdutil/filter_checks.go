package cmdutil

import (
	"strings"
	"time"
	"unicode"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// checkFilter refuses what can match nothing on any gateway: a slip of the pen
// would pass for an empty result.
func checkFilter(f *cmapi.CertificateFilter) error {
	for _, t := range []struct{ flag, value string }{
		{"cn", f.SubjectCommonName}, {"given-name", f.SubjectGivenName}, {"surname", f.SubjectSurName}, {"org", f.SubjectOrganisationName},
		{"ou", f.SubjectOrganisationUnit}, {"subject-serial", f.SubjectSerialNumber}, {"country", f.SubjectCountry}, {"card-serial", f.CardSerialNumber},
		{"issuer", f.Issuer}, {"field1", f.Field1}, {"field2", f.Field2}, {"field3", f.Field3}, {"field4", f.Field4}, {"field5", f.Field5}, {"field6", f.Field6},
	} {
		if strings.ContainsFunc(t.value, unicode.IsControl) {
			return exit.Usagef("", "--%s: there is a control character in it", t.flag)
		}
	}
	if f.Issuer != "" {
		if _, err := pki.ParseName(f.Issuer); err != nil {
			return exit.Usagef("`cmctl cert issuers` prints names as they are wanted here: cn=Demo Issuing CA,o=Demo,c=SE", "--issuer: %w", err)
		}
	}
	for _, p := range []struct {
		name     string
		from, to time.Time
	}{
		{"revoked", f.RevocationTimeFrom, f.RevocationTimeTo}, {"published", f.PublicationTimeFrom, f.PublicationTimeTo},
		{"ocsp", f.OCSPActivationTimeFrom, f.OCSPActivationTimeTo}, {"valid-from", f.ValidFromTimeFrom, f.ValidFromTimeTo},
		{"expires", f.ValidToTimeFrom, f.ValidToTimeTo},
	} {
		if !p.from.IsZero() && !p.to.IsZero() && p.to.Before(p.from) {
			return exit.Usagef("", "--%s-before %s lies before --%s-after %s", p.name, pki.FormatTime(p.to), p.name, pki.FormatTime(p.from))
		}
	}
	return nil
}
