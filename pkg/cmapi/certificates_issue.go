package cmapi

import (
	"context"
	"encoding/base64"
	"time"
)

// IssueRequest is what issueCertificatePkcs10 takes.
type IssueRequest struct {
	PKCS10    []byte    // DER
	ValidFrom time.Time // zero: left to the procedure
	ValidTo   time.Time
	Procedure string // the token procedure's name, not its id; empty: the gateway's default
	Media     string // one of the Media constants; PEM and PKCS#7 may hold the chain

	// Handler names one of several PKCS#10 handlers of the gateway, as a further
	// segment of the path. It is not in the API's description, some gateways
	// have it; issueCertificatePkcs10 only.
	Handler string
}

// NewIssue builds the issueCertificatePkcs10 request.
func NewIssue(in IssueRequest) (Request, error) {
	op, args := opIssuePKCS10, []string(nil)
	if in.Handler != "" {
		op.Path, args = op.Path+"/{handler}", []string{in.Handler}
	}
	return op.multipart(pkcs10Parts(in), in.Media, args...)
}

// pkcs10Parts are the fields that all operations on a PKCS#10 share. The
// request goes as Base64 in one line, with the part type that the API gives.
func pkcs10Parts(in IssueRequest) []part {
	var parts []part
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, part{name: name, value: value})
		}
	}
	add("procname", in.Procedure)
	add("validfrom", isoTime(in.ValidFrom))
	add("validto", isoTime(in.ValidTo))
	return append(parts, part{"pkcs10", "application/pkcs10", base64.StdEncoding.EncodeToString(in.PKCS10)})
}

func isoTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// IssuePKCS10 issues a certificate from a PKCS#10 request
// (issueCertificatePkcs10) and returns it in the wanted media type.
func (s *Certificates) IssuePKCS10(ctx context.Context, in IssueRequest) (*Blob, error) {
	r, err := NewIssue(in)
	if err != nil {
		return nil, err
	}
	return s.blob(ctx, r)
}
