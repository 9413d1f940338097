package cmdutil

import (
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// checkFilter refuses what can match nothing on any gateway: a slip of the pen
// would pass for an empty result. Names may hold anything: hostile ones are
// there to be found.
func checkFilter(f *cmapi.CertificateFilter) error {
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
