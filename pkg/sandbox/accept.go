package sandbox

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The forms of a certificate, by media type, and that of one with its key.
const (
	kindDER    = "application/pkix-cert"
	kindPKCS7  = "application/pkcs7-mime"
	kindPEM    = "application/pem-certificate-chain"
	kindPKCS12 = "application/x-pkcs12"
)

// wantedForm is a form and, for PEM, how many certificates of the chain: 0 all.
type wantedForm struct {
	kind  string
	depth int
}

// chooseForm picks what the caller likes best among what there is. Without an
// Accept header, or with one that takes all, it is the first.
func chooseForm(r *http.Request, kinds ...string) (wantedForm, error) {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return wantedForm{kind: kinds[0]}, nil
	}
	var best wantedForm
	bestQ := 0.0
	for _, part := range strings.Split(header, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if s, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(s, 64); err != nil || q < 0 || q > 1 {
				continue
			}
		}
		kind := matchKind(name, kinds)
		if kind == "" || q <= bestQ {
			continue
		}
		depth := 0
		if s, ok := params["depth"]; ok && kind == kindPEM {
			if depth, err = strconv.Atoi(s); err != nil || depth < 0 {
				return wantedForm{}, refuse(codeBadValue, "depth=%s: expected a number, 0 or more", s)
			}
		}
		best, bestQ = wantedForm{kind, depth}, q
	}
	if best.kind == "" {
		return wantedForm{}, refuse(codeBadValue, "Accept: nothing of %s", strings.Join(kinds, ", "))
	}
	return best, nil
}

func matchKind(name string, kinds []string) string {
	if name == "*/*" || name == "application/*" {
		return kinds[0]
	}
	if contains(kinds, name) {
		return name
	}
	return ""
}
