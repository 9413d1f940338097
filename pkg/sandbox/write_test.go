package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

const (
	revoke    = "/certificates/revoke"
	reinstate = "/certificates/reinstate"
	pkcs10    = "/certificates/pkcs10"
)

func TestRevocationRules(t *testing.T) {
	r := newRig(t, Options{})
	type step struct{ path, reason, item, state string }
	hold, lift := step{revoke, "6", "", "revoked 6"}, step{reinstate, "", "", "active"}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"active to revoked", []step{{revoke, "1", "", "revoked 1"}}},
		{"each reason", []step{{revoke, "0", "", "revoked 0"}}},
		{"hold, then revoked", []step{hold, {revoke, "4", "", "revoked 4"}}},
		{"hold and back", []step{hold, lift, {revoke, "5", "", "revoked 5"}}},
		{"hold on hold", []step{hold, {revoke, "6", "906", "revoked 6"}}},
		{"revoked again", []step{{revoke, "3", "", "revoked 3"}, {revoke, "3", "901", "revoked 3"}}},
		{"hold on revoked", []step{{revoke, "9", "", "revoked 9"}, {revoke, "6", "901", "revoked 9"}}},
		{"reinstate active", []step{{reinstate, "", "910", "active"}}},
		{"reinstate revoked", []step{{revoke, "1", "", "revoked 1"}, {reinstate, "", "910", "revoked 1"}}},
	} {
		id := r.issue("Rules")
		for i, s := range c.steps {
			pairs := []string{"certid", id}
			if s.reason != "" {
				pairs = []string{"reason", s.reason, "certid", id}
			}
			a := r.write(s.path, pairs...)
			wantStatus, wantCode, wantItems := http.StatusOK, codeOK, ""
			if s.item != "" {
				wantStatus, wantCode, wantItems = http.StatusInternalServerError, codeGeneral, id+"="+s.item
			}
			if a.status != wantStatus || a.code() != wantCode || a.itemCodes() != wantItems {
				t.Errorf("%s, step %d: %d %s", c.name, i, a.status, a.body)
			}
			if got := r.state(id); got != s.state {
				t.Errorf("%s, step %d: state %q, want %q", c.name, i, got, s.state)
			}
		}
	}
}

func TestRevokeCarriesOutTheGoodIDs(t *testing.T) {
	r := newRig(t, Options{})
	good, twice := r.issue("Good"), r.issue("Twice")
	locked := r.add(store.Cert{Serial: "01", Locked: true})
	hidden := r.add(store.Cert{Serial: "02", Domain: "other"})
	expired := r.add(store.Cert{Serial: "03", NotBefore: time.Unix(1e9, 0), NotAfter: time.Unix(1.1e9, 0)})
	a := r.write(revoke, "reason", "1", "certid", twice, "certid", locked, "certid", "77777", "certid", hidden,
		"certid", twice, "certid", "x", "certid", "007", "certid", good, "certid", expired)
	want := locked + "=902 77777=907 " + hidden + "=909 " + twice + "=901 x=907 007=907"
	if a.status != http.StatusInternalServerError || a.code() != codeGeneral || a.itemCodes() != want {
		t.Errorf("%d %s, items %q, want %q", a.status, a.body, a.itemCodes(), want)
	}
	for _, id := range []string{good, twice, expired} {
		if got := r.state(id); got != "revoked 1" {
			t.Errorf("%s is %q", id, got)
		}
	}
	rec := r.requests()[len(r.requests())-4]
	if got := strings.Join(rec.Changed, " "); got != twice+" "+good+" "+expired || len(rec.IDs) != 9 || rec.Signatures != 1 {
		t.Errorf("logged as %+v", rec)
	}
}

func TestBadFields(t *testing.T) {
	r := newRig(t, Options{})
	csr := base64.StdEncoding.EncodeToString(r.newRequest("/CN=x"))
	broken := bytes.Clone(r.newRequest("/CN=x"))
	broken[len(broken)-1] ^= 1
	for _, c := range []struct {
		name, path string
		pairs      []string
		code       int
	}{
		{"no certid", revoke, []string{"reason", "1"}, codeMissing},
		{"no reason", revoke, []string{"certid", "5"}, codeMissing},
		{"empty certid", revoke, []string{"reason", "1", "certid", ""}, codeBadValue},
		{"reason 2", revoke, []string{"reason", "2", "certid", "5"}, codeBadValue},
		{"reason 8", revoke, []string{"reason", "8", "certid", "5"}, codeBadValue},
		{"reason 10", revoke, []string{"reason", "10", "certid", "5"}, codeBadValue},
		{"reason 7", revoke, []string{"reason", "7", "certid", "5"}, codeBadValue},
		{"reason -1", revoke, []string{"reason", "-1", "certid", "5"}, codeBadValue},
		{"a word as reason", revoke, []string{"reason", "keyCompromise", "certid", "5"}, codeBadValue},
		{"two reasons", revoke, []string{"reason", "1", "reason", "1", "certid", "5"}, codeBadValue},
		{"certid not UTF-8", revoke, []string{"reason", "1", "certid", "\xff"}, codeEncoding},
		{"no certid to reinstate", reinstate, nil, codeMissing},
		{"no pkcs10", pkcs10, []string{"procname", "PKCS#10 Procedure"}, codeMissing},
		{"pkcs10 is text", pkcs10, []string{"pkcs10", "hello"}, codeBadValue},
		{"pkcs10 with a wrong signature", pkcs10, []string{"pkcs10", base64.StdEncoding.EncodeToString(broken)}, codeBadValue},
		{"pkcs10 and something", pkcs10, []string{"pkcs10", base64.StdEncoding.EncodeToString(append(r.newRequest("/CN=x"), 5, 0))}, codeBadValue},
		{"a procedure's id", pkcs10, []string{"pkcs10", csr, "procname", "p-pkcs10"}, codeBadValue},
		{"a procedure of another kind", pkcs10, []string{"pkcs10", csr, "procname", "PKCS#12 Procedure"}, codeBadValue},
		{"no such procedure", pkcs10, []string{"pkcs10", csr, "procname", "pkcs#10 procedure"}, codeBadValue},
		{"validity backwards", pkcs10, []string{"pkcs10", csr, "validfrom", "2027-01-02T00:00:00Z", "validto", "2027-01-01T00:00:00Z"}, codeBadValue},
		{"validity over", pkcs10, []string{"pkcs10", csr, "validfrom", "2019-01-01T00:00:00Z", "validto", "2020-01-01T00:00:00Z"}, codeBadValue},
		{"validity in milliseconds", pkcs10, []string{"pkcs10", csr, "validto", "1800000000000"}, codeBadValue},
		{"validity past the CA's", pkcs10, []string{"pkcs10", csr, "validto", "2099-01-01T00:00:00Z"}, codeBadValue},
		{"a CA's certificate", pkcs10, []string{"pkcs10", base64.StdEncoding.EncodeToString(r.newRequest("/CN=x", "-addext", "basicConstraints=CA:TRUE"))}, codeBadValue},
	} {
		a := r.post(c.path, c.pairs...)
		if a.code() == codeSignature {
			a = r.write(c.path, c.pairs...)
		}
		if a.status != http.StatusInternalServerError || a.code() != c.code {
			t.Errorf("%s: %d %s, want %d", c.name, a.status, a.body, c.code)
		}
		if rec := r.last(); len(rec.Changed) != 0 {
			t.Errorf("%s: changed %v", c.name, rec.Changed)
		}
	}
	for _, c := range []struct{ name, kind, body string }{
		{"no content type", "", "certid=5"},
		{"JSON", "application/json", `{"certid":["5"]}`},
		{"broken percent encoding", urlencoded, "certid=%zz"},
		{"multipart without boundary", "multipart/form-data", "x"},
		{"multipart that ends early", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=certid\r\n\r\n5"},
	} {
		if a := r.must("officer", r.request("POST", revoke, c.kind, c.body)); a.status != http.StatusInternalServerError || a.code() != codeEncoding {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
	if a := r.must("officer", r.request("POST", revoke, urlencoded, strings.Repeat("x", maxBody+1))); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is too long: %d", a.status)
	}
}

// multipartBody writes the parts by hand: name, headers, value.
func multipartBody(parts ...[3]string) (contentType, body string) {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("--boundary\r\nContent-Disposition: form-data; name=\"" + p[0] + "\"" + p[1] + "\r\n\r\n" + p[2] + "\r\n")
	}
	return "multipart/form-data; boundary=boundary", b.String() + "--boundary--\r\n"
}

func breaks(s string) string {
	var b strings.Builder
	for len(s) > 64 {
		b.WriteString(s[:64] + "\r\n")
		s = s[64:]
	}
	return b.String() + s + "\r\n"
}

// Every form in which clients were seen to send a request, both in the body
// and as signature.
func TestIssueTakesEveryForm(t *testing.T) {
	r := newRig(t, Options{})
	der := r.newRequest("/C=SE/O=Demo/CN=Forms", "-addext", "subjectAltName=DNS:forms.example.com,IP:10.0.0.1", "-addext", "keyUsage=critical,keyAgreement")
	b64 := base64.StdEncoding.EncodeToString(der)
	asPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	for _, c := range []struct {
		name, header, value string
		multipart           bool
	}{
		{"urlencoded Base64", "", b64, false},
		{"urlencoded Base64 with line breaks", "", breaks(b64), false},
		{"urlencoded PEM", "", asPEM, false},
		{"multipart, declared part type", "\r\nContent-Type: application/pkcs10", b64, true},
		{"multipart, plain field", "", b64, true},
		{"multipart, line breaks", "", breaks(b64), true},
		{"multipart, PEM file", "; filename=\"r.pem\"\r\nContent-Type: application/octet-stream", asPEM, true},
		{"multipart, DER file", "; filename=\"r.der\"\r\nContent-Type: application/pkcs10", string(der), true},
		{"multipart, transfer encoding", "\r\nContent-Type: application/pkcs10\r\nContent-Transfer-Encoding: base64", breaks(b64), true},
	} {
		for _, wrap := range []func(string) string{func(s string) string { return s }, breaks} {
			post := func(signature string) reply {
				if !c.multipart {
					pairs := []string{"pkcs10", c.value}
					if signature != "" {
						pairs = append(pairs, "signature", wrap(signature))
					}
					return r.post(pkcs10, pairs...)
				}
				parts := [][3]string{{"pkcs10", c.header, c.value}}
				if signature != "" {
					parts = append(parts, [3]string{"signature", "", wrap(signature)})
				}
				kind, body := multipartBody(parts...)
				return r.must("officer", r.request("POST", pkcs10, kind, body))
			}
			data, _ := post("").field("dataToSign").(string)
			tbs, err := base64.StdEncoding.DecodeString(data)
			if err != nil || len(tbs) == 0 {
				t.Errorf("%s: no dataToSign", c.name)
				continue
			}
			a := post(r.cms("officer", tbs))
			if a.status != http.StatusOK || a.header.Get("Content-Type") != kindPKCS7 || a.header.Get("certId") != r.last().Changed[0] {
				t.Errorf("%s: %d %v %s", c.name, a.status, a.header, a.body)
				continue
			}
			text := string(r.openssl(r.get("/certificates/"+a.header.Get("certId")+"/download").body, "x509", "-inform", "DER", "-noout", "-text"))
			for _, want := range []string{"CN = Forms", "DNS:forms.example.com", "IP Address:10.0.0.1", "Key Agreement", "/pgwy/dp/issuing-1.crl", "/pgwy/dp/ca/issuing-1.cer"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: the certificate lacks %q", c.name, want)
				}
			}
		}
	}
	for _, form := range []struct{ path, kind string }{{revoke, "reason"}, {reinstate, ""}} {
		kind, body := multipartBody([3]string{"certid", "", "5"}, [3]string{"reason", "", "6"})
		if a := r.must("officer", r.request("POST", form.path, kind, body)); a.code() != codeSignature {
			t.Errorf("multipart %s: %s", form.path, a.body)
		}
	}
}

func TestIssueAnswers(t *testing.T) {
	r := newRig(t, Options{Signing: SigningVRO})
	csr := base64.StdEncoding.EncodeToString(r.newRequest("/CN=Answers"))
	for _, c := range []struct {
		name, accept, procedure string
		kind                    string
		certificates            int
	}{
		{"nothing wanted", "", "", kindPKCS7, 3},
		{"anything", "*/*", "PKCS#10 Procedure", kindPKCS7, 3},
		{"DER", kindDER, "", kindDER, 1},
		{"PEM", kindPEM, "", kindPEM, 3},
		{"PEM, a part", kindPEM + ";depth=2", "", kindPEM, 2},
		{"PKCS#7 from a procedure that stores no chain", kindPKCS7, "PKCS#10 Leaf Procedure", kindPKCS7, 1},
		{"PEM from it", kindPEM, "PKCS#10 Leaf Procedure", kindPEM, 1},
	} {
		pairs := []string{"pkcs10", csr}
		if c.procedure != "" {
			pairs = append(pairs, "procname", c.procedure)
		}
		req := r.request("POST", pkcs10, urlencoded, encode(pairs...))
		if c.accept != "" {
			req.Header.Set("Accept", c.accept)
		}
		a := r.must("officer", req)
		if a.status != http.StatusOK || a.header.Get("Content-Type") != c.kind {
			t.Errorf("%s: %d %v %s", c.name, a.status, a.header, a.body)
			continue
		}
		if n := countCertificates(r, c.kind, a.body); n != c.certificates {
			t.Errorf("%s: %d certificates, want %d", c.name, n, c.certificates)
		}
	}
	id := r.issue2(t, csr, "validfrom", "2026-01-02T03:04:05Z", "validto", "2031-02-03T04:05:06+01:00")
	dates := string(r.openssl(r.get("/certificates/"+id+"/download").body, "x509", "-inform", "DER", "-noout", "-dates"))
	if want := "notBefore=Jan  2 03:04:05 2026 GMT\nnotAfter=Feb  3 03:05:06 2031 GMT\n"; dates != want {
		t.Errorf("validity %q, want %q", dates, want)
	}
}

// issue2 issues where the gateway signs.
func (r *rig) issue2(t *testing.T, csr string, pairs ...string) string {
	t.Helper()
	a := r.post(pkcs10, append([]string{"pkcs10", csr}, pairs...)...)
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return a.header.Get("certId")
}

func countCertificates(r *rig, kind string, body []byte) int {
	switch kind {
	case kindPKCS7:
		return strings.Count(string(r.openssl(body, "pkcs7", "-inform", "DER", "-print_certs")), "BEGIN CERTIFICATE")
	case kindPEM:
		return strings.Count(string(body), "BEGIN CERTIFICATE")
	}
	r.openssl(body, "x509", "-inform", "DER", "-noout")
	return 1
}

// With the gateway signing, a write is carried out at once, and a signature
// that came along is not looked at.
func TestGatewaySigns(t *testing.T) {
	r := newRig(t, Options{Signing: SigningVRO})
	csr := base64.StdEncoding.EncodeToString(r.newRequest("/CN=VRO"))
	id := r.issue2(t, csr)
	if a := r.post(revoke, "certid", id, "reason", "6", "signature", "nonsense"); a.status != http.StatusOK || a.code() != codeOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	if rec := r.last(); rec.Signatures != 1 || rec.Signer != "" || len(rec.Changed) != 1 {
		t.Errorf("logged as %+v", rec)
	}
	if got := r.state(id); got != "revoked 6" {
		t.Errorf("state %q", got)
	}
}

// What a stranger can do: a shell with curl and openssl, nothing else.
func TestStrangersScript(t *testing.T) {
	r := newRig(t, Options{})
	script := `set -eu
cd "$CMSANDBOX_DIR"
api=$(cat url)
call() { curl -sS --cacert ca.pem --cert officer.pem --key officer.key "$@"; }
signature() { sed 's/.*"dataToSign":"\([^"]*\)".*/\1/' | openssl base64 -d -A > tbs
  openssl cms -sign -binary -nodetach -outform DER -in tbs -signer officer.pem -inkey officer.key | openssl base64 -A > signature; }
openssl req -new -newkey rsa:2048 -nodes -keyout k.pem -out r.pem -subj /C=SE/O=Demo/CN=Stranger 2>/dev/null
call -F 'pkcs10=<r.pem;type=application/pkcs10' "$api/certificates/pkcs10" | signature
call -F 'pkcs10=<r.pem;type=application/pkcs10' -F 'signature=<signature' -H 'Accept: application/pem-certificate-chain' -D head -o chain.pem "$api/certificates/pkcs10"
id=$(tr -d '\r' < head | sed -n 's/^certid: //pI')
crls() { for c in issuing-1 root; do curl -sS --cacert ca.pem "${api%/api}/dp/$c.crl" | openssl crl -inform DER; done > crls.pem; }
crls; openssl verify -crl_check_all -CAfile ca.pem -untrusted chain.pem -CRLfile crls.pem chain.pem
call -d reason=1 -d certid=$id "$api/certificates/revoke" | signature
call -d reason=1 -d certid=$id --data-urlencode signature@signature "$api/certificates/revoke"
crls; ! openssl verify -crl_check_all -CAfile ca.pem -untrusted chain.pem -CRLfile crls.pem chain.pem
`
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), Environment(r.Dir)...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "chain.pem: OK") || !strings.Contains(string(out), `{"error":0,"msg":"done"}`) || !strings.Contains(string(out), "certificate revoked") {
		t.Errorf("%v\n%s", err, out)
	}
}
