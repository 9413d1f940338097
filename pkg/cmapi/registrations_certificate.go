package cmapi

import (
	"context"
	"encoding/json"
)

// OfCertificate returns the registration that a certificate was issued under
// (getRegistrationsCertId); nil when the gateway answers with none. An unknown
// certificate is an *Error with Code -14.
func (s *Registrations) OfCertificate(ctx context.Context, certID string) (*Registration, error) {
	r := opRegistrationOfCertificate.read(nil, acceptJSON, certID)
	a, err := s.c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	var o object
	if err := decodeJSON(r, a, &o); err != nil {
		return nil, err
	}
	raw, ok := o.take("registration")
	if !ok {
		return nil, nil
	}
	var reg Registration
	if err := json.Unmarshal(raw, &reg); err != nil {
		return nil, nonsense(r, a, err)
	}
	if reg.RegID == "" && reg.FQDN == "" {
		return nil, nil // {}: none, in another manner
	}
	return &reg, nil
}
