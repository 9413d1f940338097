package ca

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// bench holds a hierarchy and a folder for what OpenSSL reads of it. The clock
// is the real one: OpenSSL's is, too.
type bench struct {
	*testing.T
	*Hierarchy
	now time.Time
	dir string
}

func newBench(t *testing.T) bench {
	t.Helper()
	b := bench{T: t, now: time.Now().UTC().Truncate(time.Second), dir: t.TempDir()}
	var err error
	if b.Hierarchy, err = New(b.now, "https://127.0.0.1:8444/pgwy"); err != nil {
		t.Fatal(err)
	}
	return b
}

// openssl runs OpenSSL in the folder and returns all that it said.
func (b bench) openssl(args ...string) (string, error) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "openssl", args...)
	cmd.Dir = b.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (b bench) mustOpenssl(args ...string) string {
	b.Helper()
	out, err := b.openssl(args...)
	if err != nil {
		b.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (b bench) write(name string, ders ...[]byte) {
	b.Helper()
	var out []byte
	for _, der := range ders {
		kind := "CERTIFICATE"
		if _, err := x509.ParseRevocationList(der); err == nil {
			kind = "X509 CRL"
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
	if err := os.WriteFile(filepath.Join(b.dir, name), out, 0o600); err != nil {
		b.Fatal(err)
	}
}

func (b bench) read(name string) []byte {
	b.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func (b bench) crl(i *Issuer, number int64, entries ...store.RevokedEntry) []byte {
	b.Helper()
	der, err := i.CRL(number, b.now.Add(-time.Minute), b.now.Add(time.Hour), entries)
	if err != nil {
		b.Fatal(err)
	}
	return der
}

// verify asks OpenSSL about a certificate, strictly, with the CRLs of all its
// issuers.
func (b bench) verify(der []byte, crls ...[]byte) (string, error) {
	b.Helper()
	b.write("root.pem", b.Root.Cert.Raw)
	b.write("issuing.pem", b.Issuing[0].Cert.Raw, b.Issuing[1].Cert.Raw)
	b.write("cert.pem", der)
	b.write("crls.pem", crls...)
	return b.openssl("verify", "-x509_strict", "-crl_check_all", "-CAfile", "root.pem", "-untrusted", "issuing.pem", "-CRLfile", "crls.pem", "cert.pem")
}

// csr makes a request with OpenSSL and parses it.
func (b bench) csr(args ...string) *x509.CertificateRequest {
	b.Helper()
	b.mustOpenssl(append([]string{"req", "-new", "-nodes", "-keyout", "key.pem", "-out", "req.pem"}, args...)...)
	csr, err := ParseRequest(b.read("req.pem"))
	if err != nil {
		b.Fatal(err)
	}
	return csr
}

func (b bench) issue(csr *x509.CertificateRequest) *x509.Certificate {
	b.Helper()
	c, err := b.Issuing[0].Issue(IssueRequest{csr, b.now.Add(-time.Hour), b.now.Add(24 * time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func TestOpenSSLFollowsRevocation(t *testing.T) {
	b := newBench(t)
	c := b.issue(b.csr("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/C=SE/O=Demo/CN=Anna"))
	row := b.Row(c)
	rootCRL := b.crl(b.Root, 1)
	if out, err := b.verify(c.Raw, rootCRL, b.crl(b.Issuing[0], 1)); err != nil {
		t.Errorf("a good certificate: %v\n%s", err, out)
	}
	for _, reason := range []int{0, 1, 3, 4, 5, 6, 9} {
		entry := store.RevokedEntry{Serial: row.Serial, Reason: reason, At: b.now.Add(-time.Minute)}
		if out, err := b.verify(c.Raw, rootCRL, b.crl(b.Issuing[0], 2, entry)); err == nil || !strings.Contains(out, "certificate revoked") {
			t.Errorf("revoked for reason %d: %v\n%s", reason, err, out)
		}
	}
	// Another certificate's revocation, and the same serial of another issuer.
	other := store.RevokedEntry{Serial: "01", Reason: 1, At: b.now}
	same := store.RevokedEntry{Serial: row.Serial, Reason: 1, At: b.now}
	if out, err := b.verify(c.Raw, rootCRL, b.crl(b.Issuing[0], 3, other), b.crl(b.Issuing[1], 1, same)); err != nil {
		t.Errorf("another is revoked: %v\n%s", err, out)
	}
	ca := store.RevokedEntry{Serial: b.Row(b.Issuing[0].Cert).Serial, Reason: 5, At: b.now}
	if out, err := b.verify(c.Raw, b.crl(b.Root, 2, ca), b.crl(b.Issuing[0], 4)); err == nil || !strings.Contains(out, "certificate revoked") {
		t.Errorf("its issuer is revoked: %v\n%s", err, out)
	}
	foreign, err := NewForeign(b.now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := foreign.NewLeaf(Leaf{CN: "Anna", Org: "Demo", Country: "SE", NotBefore: b.now.Add(-time.Hour), NotAfter: b.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := b.verify(leaf.Cert.Raw, rootCRL, b.crl(b.Issuing[0], 1)); err == nil {
		t.Errorf("a foreign certificate is accepted: %s", out)
	}
}

func TestCRLReadByOpenSSL(t *testing.T) {
	b := newBench(t)
	at := time.Date(2026, 3, 2, 1, 2, 3, 0, time.UTC)
	b.write("crl.pem", b.crl(b.Issuing[0], 4711,
		store.RevokedEntry{Serial: "00ab", Reason: 0, At: at},
		store.RevokedEntry{Serial: "01", Reason: 1, At: at},
		store.RevokedEntry{Serial: "02", Reason: 6, At: at}))
	out := b.mustOpenssl("crl", "-in", "crl.pem", "-noout", "-text")
	aki := strings.ToUpper(b.Row(b.Issuing[0].Cert).SKI)
	for _, want := range []string{
		"Version 2", "Issuer: C = SE, O = Demo, CN = Demo Issuing CA\n", "X509v3 CRL Number: \n                4711",
		"Serial Number: AB\n        Revocation Date: Mar  2 01:02:03 2026 GMT\n    Serial Number: 01",
		"Key Compromise", "Certificate Hold",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if !strings.Contains(strings.ReplaceAll(out, ":", ""), aki) {
		t.Errorf("key identifier %s is missing in\n%s", aki, out)
	}
	if strings.Contains(out, "Unspecified") {
		t.Errorf("a reason that says nothing is there:\n%s", out)
	}
	if _, err := b.Root.CRL(1, b.now, b.now, []store.RevokedEntry{{Serial: "xyz"}}); err == nil {
		t.Error("a serial that is no number is taken")
	}
}

func TestIssuedKeepsWhatTheRequestHas(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		name string
		args []string
		want []string // in OpenSSL's text
		not  []string
	}{
		{"EC, nothing asked for", []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-subj", "/CN=x"},
			[]string{"Subject: CN = x\n", "Digital Signature\n", "CA:FALSE", "secp384r1"}, []string{"Alternative", "Extended", "Encipherment"}},
		{"RSA, nothing asked for", []string{"-newkey", "rsa:2048", "-subj", "/CN=x"}, []string{"Digital Signature, Key Encipherment\n"}, nil},
		{"names and usages", []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/O=Demo/CN=a,b/C=SE",
			"-addext", "subjectAltName=DNS:a.example,DNS:b.example,IP:10.0.0.1,IP:::1,email:a@example,URI:urn:x,otherName:1.2.3;UTF8:upn",
			"-addext", "keyUsage=critical,keyAgreement,nonRepudiation", "-addext", "extendedKeyUsage=serverAuth,1.2.3.4", "-addext", "basicConstraints=CA:FALSE"},
			[]string{"Subject: O = Demo, CN = \"a,b\", C = SE\n", "DNS:a.example, DNS:b.example, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1, email:a@example, URI:urn:x, othername: 1.2.3::upn",
				"X509v3 Key Usage: critical\n                Non Repudiation, Key Agreement\n", "TLS Web Server Authentication, 1.2.3.4\n", "CA:FALSE"}, []string{"Digital Signature"}},
		{"no subject, but a name", []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/", "-addext", "subjectAltName=DNS:a.example"},
			[]string{"Subject: \n", "X509v3 Subject Alternative Name: critical\n"}, nil},
		{"characters of the world", []string{"-newkey", "ed25519", "-utf8", "-subj", "/CN=Åsa 日本/GN=Åsa", "-nameopt", "utf8"}, []string{"ED25519"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := b
			b.T = t
			csr := b.csr(c.args...)
			cert := b.issue(csr)
			if string(cert.RawSubject) != string(csr.RawSubject) {
				t.Error("the subject is not the request's, octet for octet")
			}
			if out, err := b.verify(cert.Raw, b.crl(b.Root, 1), b.crl(b.Issuing[0], 1)); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			text := b.mustOpenssl("x509", "-in", "cert.pem", "-noout", "-text")
			for _, want := range append(c.want, "URI:https://127.0.0.1:8444/pgwy/dp/issuing-1.crl\n", "CA Issuers - URI:https://127.0.0.1:8444/pgwy/dp/ca/issuing-1.cer\n") {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			for _, not := range c.not {
				if strings.Contains(text, not) {
					t.Errorf("%q is in\n%s", not, text)
				}
			}
		})
	}
}

func TestIssueRefuses(t *testing.T) {
	b := newBench(t)
	key := []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}
	good := b.csr(append(key, "-subj", "/CN=x")...)
	hour := b.now.Add(time.Hour)
	for _, c := range []struct {
		name string
		r    IssueRequest
		want string
	}{
		{"a CA certificate", IssueRequest{b.csr(append(key, "-subj", "/CN=x", "-addext", "basicConstraints=CA:TRUE")...), b.now, hour}, "asks for a CA certificate"},
		{"a CA's key usage", IssueRequest{b.csr(append(key, "-subj", "/CN=x", "-addext", "keyUsage=keyCertSign")...), b.now, hour}, "key usage of a CA"},
		{"no name at all", IssueRequest{b.csr(append(key, "-subj", "/")...), b.now, hour}, "names no subject"},
		{"an end before the start", IssueRequest{good, hour, b.now}, "ends before it starts"},
		{"an end at the start", IssueRequest{good, hour, hour}, "ends before it starts"},
		{"longer than the issuer", IssueRequest{good, b.now, b.now.AddDate(21, 0, 0)}, "not within that of the issuer"},
		{"before the issuer", IssueRequest{good, b.now.AddDate(-11, 0, 0), hour}, "not within that of the issuer"},
	} {
		if _, err := b.Issuing[0].Issue(c.r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSeededCertificatesAreReal(t *testing.T) {
	b := newBench(t)
	s, err := store.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Seed(t.Context(), 1000, b.SeedOptions(b.now, 500, "p-pkcs10")); err != nil {
		t.Fatal(err)
	}
	rows, _, err := s.Search(t.Context(), store.Query{Limit: 2000, Types: []string{"EE", "CA"}, Domain: store.OtherDomain})
	if err != nil || len(rows) != 1006 {
		t.Fatal(len(rows), err)
	}
	for _, row := range rows {
		der, err := b.Materialise(row)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatalf("%d: %v", row.ID, err)
		}
		// All that the certificate says is what the row says.
		want, got := row, b.Row(c)
		want.Serial = strings.TrimLeft(want.Serial, "0")
		want.Serial = strings.Repeat("0", len(want.Serial)%2) + want.Serial
		want.Revoked, want.Reason, want.RevokedAt = false, 0, time.Time{}
		want.ID, want.Seed, want.ProcID, want.Domain, want.Locked = 0, 0, "", "", false
		want.CardSerial, want.Fields = "", [6]string{}
		want.PublicationAllowed, want.PublishedAt, want.OCSPActivatedAt = false, time.Time{}, time.Time{}
		want.DER = der
		if !equalRows(got, want) {
			t.Errorf("%d:\n got %+v\nwant %+v", row.ID, got, want)
		}
		again, err := b.Materialise(row)
		if err != nil || string(again) != string(der) {
			t.Errorf("%d has other bytes the second time, %v", row.ID, err)
		}
	}
	// OpenSSL on one of each: active, hostile name, on hold, revoked, expired, CA.
	crls := [][]byte{b.crl(b.Root, 1)}
	for _, i := range b.Issuing {
		number, entries, err := s.RevokedBy(t.Context(), i.ID, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		crls = append(crls, b.crl(i, number, entries...))
	}
	first := int64(store.FirstID)
	for id, want := range map[int64]string{
		first: "cert.pem: OK", first + 6: "cert.pem: OK", first + 7: "cert.pem: OK", first + 16: "certificate revoked", first + 17: "certificate revoked",
		first + 19: "certificate has expired", first + 1000: "cert.pem: OK", 9001: "cert.pem: OK",
	} {
		row, ok, err := s.Get(t.Context(), id)
		if err != nil || !ok {
			t.Fatal(id, err)
		}
		der, err := b.Materialise(row)
		if err != nil {
			t.Fatal(err)
		}
		if out, _ := b.verify(der, crls...); !strings.Contains(out, want) {
			t.Errorf("%d: %s", id, out)
		}
	}
	if _, err := b.Materialise(store.Cert{ID: 1, IssuerID: RootID, Serial: "01"}); err == nil {
		t.Error("a certificate that was not seeded is made")
	}
}

func TestServerAndOfficerCertificates(t *testing.T) {
	b := newBench(t)
	life := Leaf{CN: "localhost", Org: "Demo", Country: "SE", NotBefore: b.now.Add(-time.Hour), NotAfter: b.now.Add(time.Hour)}
	crls := [][]byte{b.crl(b.Root, 1), b.crl(b.Issuing[0], 1), b.crl(b.Issuing[1], 1)}
	for _, c := range []struct {
		name    string
		change  func(l *Leaf)
		purpose string
		want    string
	}{
		{"server", func(l *Leaf) { l.Server, l.DNS = true, []string{"localhost"} }, "sslserver", "OK"},
		{"server as client", func(l *Leaf) { l.Server = true }, "sslclient", "unsuitable certificate purpose"},
		{"officer in TLS", func(*Leaf) {}, "sslclient", "OK"},
		{"officer who signs", func(*Leaf) {}, "smimesign", "OK"},
		{"officer as server", func(*Leaf) {}, "sslserver", "unsuitable certificate purpose"},
		{"expired officer", func(l *Leaf) { l.NotBefore, l.NotAfter = l.NotBefore.AddDate(-1, 0, 0), b.now.Add(-time.Minute) }, "sslclient", "certificate has expired"},
	} {
		l := life
		c.change(&l)
		id, err := b.Issuing[1].NewLeaf(l)
		if err != nil {
			t.Fatal(err)
		}
		if out, _ := b.verify(id.Cert.Raw, crls...); !strings.Contains(out, "cert.pem: OK") && !strings.Contains(out, c.want) {
			t.Errorf("%s: %s", c.name, out)
		}
		out, _ := b.openssl("verify", "-purpose", c.purpose, "-CAfile", "root.pem", "-untrusted", "issuing.pem", "cert.pem")
		if !strings.Contains(out, c.want) {
			t.Errorf("%s: %s", c.name, out)
		}
	}
}
