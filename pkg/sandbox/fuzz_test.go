package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

func FuzzOpenSealed(f *testing.F) {
	key := []byte("key")
	good := newSealed("revokeCertificate", []field{textField("reason", "1"), digestField("pkcs10", []byte("x"))}, time.Unix(1.8e9, 0)).encode(key)
	f.Add(good)
	f.Add(good[:20])
	f.Add([]byte{0x30, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		s, err := openSealed(der, key)
		if err == nil && !bytes.Equal(s.encode(key), der) {
			t.Errorf("%x was taken for %x", der, s.encode(key))
		}
	})
}

func FuzzReadForm(f *testing.F) {
	f.Add("certid=1&reason=1&signature=a%2Bb", "")
	f.Add("--b\r\nContent-Disposition: form-data; name=\"certid\"\r\n\r\n5\r\n--b--\r\n", "b")
	f.Fuzz(func(t *testing.T, body, boundary string) {
		if form, err := readURLEncoded(body); err != nil && form != nil {
			t.Error("a form and an error")
		}
		if form, err := readMultipart([]byte(body), boundary); err != nil && form != nil {
			t.Error("a form and an error")
		}
	})
}

func FuzzChooseForm(f *testing.F) {
	f.Add("application/pem-certificate-chain;depth=2;q=0.5, */*;q=0.1")
	f.Add("text/html")
	f.Fuzz(func(t *testing.T, accept string) {
		got, err := chooseForm(&http.Request{Header: http.Header{"Accept": {accept}}}, kindDER, kindPKCS7, kindPEM)
		if err == nil && matchKind(got.kind, []string{kindDER, kindPKCS7, kindPEM}) != got.kind {
			t.Errorf("%q chose %q", accept, got.kind)
		}
	})
}

func FuzzReadJSON(f *testing.F) {
	f.Add(`{"regid":"x","signature":"AA=="}`)
	f.Add(`{"importdata":[{"certificate":"AA=="}],"a":{"b":[1,2.5e3,null]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		body, signatures, err := readJSON(jsonType, []byte(text))
		if err != nil {
			return
		}
		var again map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &again); err != nil {
			t.Fatalf("%q was taken: %v", text, err)
		}
		if len(again) != len(body)+len(signatures) {
			t.Errorf("%q: %d members, read %d", text, len(again), len(body))
		}
	})
}
