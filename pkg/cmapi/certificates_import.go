package cmapi

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/cmctl/cmctl/pkg/pki"
)

// ImportEntry is one certificate of another PKI to take in.
type ImportEntry struct {
	Certificate []byte // DER
	Revoked     bool   // with Reason; else Reason and RevokedAt are not sent
	Reason      pki.Reason
	RevokedAt   time.Time // zero: left to the server
}

// importBody is the request as it is sent: procname first, so that what the
// entries belong to is read before them.
type importBody struct {
	Procedure string       `json:"procname,omitempty"`
	Data      []importItem `json:"importdata"`
}

type importItem struct {
	Certificate string `json:"certificate"`
	Reason      *int   `json:"reason,omitempty"`
	RevokedAt   string `json:"revocationtime,omitempty"`
}

// NewImport builds the importPKIX509 request. procedure is the token
// procedure's name, empty for the server's default.
func NewImport(procedure string, entries []ImportEntry) (Request, error) {
	if len(entries) == 0 {
		return Request{}, errors.New("an import needs at least one certificate")
	}
	body := importBody{Procedure: procedure, Data: make([]importItem, len(entries))}
	for i, e := range entries {
		body.Data[i].Certificate = base64.StdEncoding.EncodeToString(e.Certificate)
		if e.Revoked {
			code := int(e.Reason)
			body.Data[i].Reason, body.Data[i].RevokedAt = &code, isoTime(e.RevokedAt)
		}
	}
	return opImport.json(body, acceptJSON)
}

// Import takes in certificates of another PKI (importPKIX509). When some fail,
// the error is an *Error whose Items name them by Index; the others may have
// been taken in. ImportLimit tells how many fit when there were too many.
func (s *Certificates) Import(ctx context.Context, procedure string, entries []ImportEntry) error {
	r, err := NewImport(procedure, entries)
	if err != nil {
		return err
	}
	_, err = s.c.Do(ctx, r)
	return err
}

// ImportLimit is the largest number of entries that the server takes in one
// import, as the answer to a longer one says: -40 with `limit`, which is no
// word about being busy (docs/api-notes.md, 31). 0 when the answer says nothing of it.
func ImportLimit(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.limit()
	}
	return 0
}
