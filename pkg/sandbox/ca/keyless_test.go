package ca

import (
	"bytes"
	"testing"
)

// FuzzParseKeyless reads what was read a second time, and looks for attributes
// in all of it.
func FuzzParseKeyless(f *testing.F) {
	f.Add([]byte("\x30\x17\x02\x01\x00\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01\x79\x30\x02\x05\x00\xa0\x00"))
	f.Add([]byte("\x30\x1e\x02\x01\x00\x30\x00\x30\x02\x05\x00\xa0\x13\x30\x11\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x02\x31\x04\x0c\x02hi"))
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		csr, err := ParseKeyless(raw)
		if err != nil {
			return
		}
		if csr.PublicKey != nil {
			t.Errorf("%x keeps its key", raw)
		}
		if again, err := ParseKeyless(csr.Raw); err != nil || !bytes.Equal(again.RawTBSCertificateRequest, csr.RawTBSCertificateRequest) {
			t.Errorf("%x is read otherwise the second time: %v", csr.Raw, err)
		}
		list, err := attributesOf(csr)
		for _, a := range list {
			if err == nil && len(a.values) == 0 {
				t.Errorf("%x: an attribute without a value", csr.Raw)
			}
		}
	})
}

func FuzzIsAttribute(f *testing.F) {
	f.Add([]byte("\x30\x0b\x30\x09\x02\x01\x01\x30\x04\xa0\x02\x30\x00"))
	f.Add([]byte("\x30\x0a\x30\x08\x02\x01\x01\x30\x03\x06\x01\x2a"))
	f.Fuzz(func(t *testing.T, der []byte) {
		if IsAttribute(der) && der[0] != 0x30 {
			t.Errorf("%x", der)
		}
	})
}
