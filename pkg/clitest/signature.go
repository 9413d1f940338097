package clitest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// signatureFile is where the sandbox's folder has the last signature that came
// in, for OpenSSL to judge.
const signatureFile = "signature.der"

// keepSignature writes the signature of each request that has one below dir,
// whose value is known once the sandbox has started.
func keepSignature(dir *atomic.Value, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, whole := bodyOf(r)
		if !whole {
			next.ServeHTTP(w, r)
			return
		}
		if text := signatureOf(copyOf(r, body), body); text != "" {
			der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir.Load().(string), signatureFile), der, 0o600)
			}
			if err != nil {
				panic(err)
			}
		}
		next.ServeHTTP(w, r)
	})
}

func signatureOf(r *http.Request, body []byte) string {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var v struct{ Signature string }
		_ = json.Unmarshal(body, &v)
		return v.Signature
	}
	return r.PostFormValue("signature")
}
