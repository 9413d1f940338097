package cmapi

import (
	"context"
	"encoding/json"
	"errors"
)

// Details returns what CM knows of one certificate (getCertificateDetails). An
// unknown id is an *Error with Code -14.
func (s *Certificates) Details(ctx context.Context, certID string) (*Certificate, error) {
	r := opGetDetails.read(nil, acceptJSON, certID)
	a, err := s.c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	var out struct{ Certificate json.RawMessage }
	if err := decodeJSON(r, a, &out); err != nil {
		return nil, err
	}
	if len(out.Certificate) == 0 || string(out.Certificate) == "null" {
		return nil, nonsense(r, a, errors.New("it holds no certificate"))
	}
	var c Certificate
	if err := json.Unmarshal(out.Certificate, &c); err != nil {
		return nil, nonsense(r, a, err)
	}
	if c.CertID == "" {
		c.CertID = certID
	}
	return &c, nil
}
