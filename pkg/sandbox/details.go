package sandbox

import (
	"net/http"
	"strconv"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// getCertificateDetails shows one certificate.
func (g *gateway) getCertificateDetails(c *call) (*answer, error) {
	cert, err := g.named(c)
	if err != nil {
		return nil, err
	}
	return jsonAnswer(http.StatusOK, codeOK, struct {
		status
		Certificate jsonCertificate `json:"certificate"`
	}{done, g.jsonCertificate(&cert)}), nil
}

// named returns the certificate of the path. One of another domain does not
// exist for those who only look.
func (g *gateway) named(c *call) (store.Cert, error) {
	text := c.path["certid"]
	c.rec.IDs = []string{text}
	none := refuse(codeBadValue, "no certificate has id %q", text)
	id, ok := parseID(text)
	if !ok {
		return store.Cert{}, none
	}
	cert, found, err := g.store.Get(c.ctx, id)
	if err != nil {
		return store.Cert{}, err
	}
	if !found || cert.Domain != "" {
		return store.Cert{}, none
	}
	return cert, nil
}

// parseID reads a certificate id in the one way it is written.
func parseID(text string) (int64, bool) {
	id, err := strconv.ParseInt(text, 10, 64)
	return id, err == nil && id > 0 && idText(id) == text
}
