package sandbox

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
)

func TestClientCertificates(t *testing.T) {
	r := newRig(t, Options{})
	now := time.Now()
	foreign, err := ca.NewForeign(now)
	if err != nil {
		t.Fatal(err)
	}
	life := ca.Leaf{CN: "Demo Officer", NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	r.keep("foreigner", foreign, life)
	r.keep("nobody", r.home.ca.Issuing[1], life)
	old := life
	old.NotAfter = now.Add(-time.Minute)
	r.keep("old", r.home.ca.Issuing[0], old)
	server := life
	server.Server = true
	r.keep("server", r.home.ca.Issuing[0], server)
	for _, c := range []struct {
		who    string
		alert  bool // refused in the handshake
		status int
		code   int
	}{
		{"officer", false, http.StatusOK, codeOK},
		{"officer2", false, http.StatusOK, codeOK},
		{"guest", false, http.StatusInternalServerError, codePrivilege},
		{"nobody", false, http.StatusInternalServerError, codePrivilege},
		{"", false, http.StatusForbidden, codePrivilege},
		{"foreigner", true, 0, 0},
		{"old", true, 0, 0},
		{"server", true, 0, 0},
	} {
		a, err := r.send(c.who, r.request("GET", "/procedures", "", ""))
		var op tls.AlertError
		if c.alert {
			if err == nil || !errors.As(err, &op) && !strings.Contains(err.Error(), "remote error: tls") {
				t.Errorf("%s: %d, %v; want a TLS alert", c.who, a.status, err)
			}
			continue
		}
		if err != nil || a.status != c.status || a.code() != c.code || a.header.Get("Content-Type") != jsonType {
			t.Errorf("%q: %d %s, %v", c.who, a.status, a.body, err)
		}
	}
	// The guest is refused everywhere, whatever else is wrong with the call.
	for _, op := range r.gateway.operations() {
		path := strings.NewReplacer("{certid}", "5", "{procid}", "p-acme", "{handler}", "pkcs10").Replace(op.pattern)
		if a := r.must("guest", r.request(op.method, path, "", "")); a.code() != codePrivilege || r.last().OperationID != op.id {
			t.Errorf("guest, %s %s: %s, logged as %+v", op.method, path, a.body, r.last())
		}
	}
}

func TestTLSVersionsAndSchemes(t *testing.T) {
	for _, c := range []struct {
		name   string
		max    uint16
		client *tls.Config
		tls    string
		scheme string
	}{
		{"highest", tls.VersionTLS13, &tls.Config{}, "1.3", "ecdsa_secp256r1_sha256"},
		{"client at 1.2", tls.VersionTLS13, &tls.Config{MaxVersion: tls.VersionTLS12}, "1.2", "ecdsa_secp256r1_sha256"},
		{"server at 1.2", tls.VersionTLS12, &tls.Config{}, "1.2", "ecdsa_secp256r1_sha256"},
		{"resumed, 1.3", tls.VersionTLS13, &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(1)}, "1.3", "resumed"},
	} {
		r := newRig(t, Options{TLSMax: c.max})
		cfg := r.tlsConfig("officer")
		cfg.MaxVersion, cfg.ClientSessionCache = c.client.MaxVersion, c.client.ClientSessionCache
		for range 2 {
			tr := &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}
			resp, err := (&http.Client{Transport: tr}).Get(r.URL + "/procedures")
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if rec := r.last(); rec.TLS != c.tls || rec.Scheme != c.scheme {
			t.Errorf("%s: %s, %s; want %s, %s", c.name, rec.TLS, rec.Scheme, c.tls, c.scheme)
		}
	}
	r := newRig(t, Options{TLSMax: tls.VersionTLS12})
	cfg := r.tlsConfig("officer")
	cfg.MinVersion = tls.VersionTLS13
	if _, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: cfg}}).Get(r.URL + "/procedures"); err == nil {
		t.Error("TLS 1.3 in spite of --tls-max 1.2")
	}
	cfg = r.tlsConfig("officer")
	cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if _, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: cfg}}).Get(r.URL + "/procedures"); err == nil {
		t.Error("TLS 1.1 was taken")
	}
}

// The scheme is what the client signed with, in every combination that a key
// allows: openssl s_client chooses it by -sigalgs.
func TestSchemeIsTheClients(t *testing.T) {
	r := newRig(t, Options{Signing: SigningVRO})
	r.openssl(nil, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.key", "-out", "rsa.csr", "-subj", "/CN=RSA")
	csr, err := os.ReadFile(r.path("rsa.csr"))
	if err != nil {
		t.Fatal(err)
	}
	req := r.request("POST", pkcs10, urlencoded, encode("pkcs10", string(csr)))
	req.Header.Set("Accept", kindPEM)
	if err := os.WriteFile(r.path("rsa.pem"), r.must("officer", req).body, 0o600); err != nil {
		t.Fatal(err)
	}
	u, _ := http.NewRequest("GET", r.URL, nil)
	for _, c := range []struct{ version, sigalg, want string }{
		{"-tls1_2", "RSA+SHA256", "rsa_pkcs1_sha256"},
		{"-tls1_2", "RSA+SHA512", "rsa_pkcs1_sha512"},
		{"-tls1_2", "RSA-PSS+SHA384", "rsa_pss_rsae_sha384"},
		{"-tls1_3", "RSA-PSS+SHA256", "rsa_pss_rsae_sha256"},
		{"-tls1_3", "RSA-PSS+SHA512", "rsa_pss_rsae_sha512"},
	} {
		cmd := exec.Command("openssl", "s_client", c.version, "-connect", u.URL.Host, "-CAfile", "ca.pem", "-cert", "rsa.pem", "-key", "rsa.key",
			"-client_sigalgs", c.sigalg, "-sigalgs", c.sigalg+":ECDSA+SHA256", "-quiet", "-ign_eof")
		cmd.Dir = r.Dir
		cmd.Stdin = strings.NewReader("GET /pgwy/api/procedures HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "HTTP/1.1 500") {
			t.Fatalf("%s %s: %v\n%s", c.version, c.sigalg, err, out)
		}
		if rec := r.last(); rec.Scheme != c.want || rec.TLS != strings.Replace(c.version[4:], "_", ".", 1) {
			t.Errorf("%s %s: logged as %+v", c.version, c.sigalg, rec)
		}
	}
}

func TestPathsAndMethods(t *testing.T) {
	r := newRig(t, Options{BasePath: "/pgwy/api/instance"})
	if want := "/pgwy/api/instance"; !strings.HasSuffix(r.URL, want) {
		t.Errorf("URL %s", r.URL)
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/procedures", 200},
		{"GET", "/certificates", 200},
		{"GET", "/certificates/5/details", 200},
		{"GET", "/certificates/%35/details", 200},
		{"GET", "/certificates/5", 404},
		{"GET", "/certificates/5/details/", 404},
		{"GET", "/certificates//details", 404},
		{"GET", "", 404},
		{"GET", "x", 404},
		{"GET", "/nothing", 404},
		{"GET", "/certificates/revoke", 405},
		{"DELETE", "/certificates", 405},
		{"POST", "/certificates/5/details", 405},
	} {
		a := r.must("officer", r.request(c.method, c.path, "", ""))
		if a.status != c.status || a.header.Get("Content-Type") != jsonType {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
	}
	req := r.request("GET", "", "", "")
	req.URL.Path = "/pgwy/api/procedures"
	if a := r.must("officer", req); a.status != 404 {
		t.Errorf("the default base path is still there: %d", a.status)
	}
}

func TestRouterPrefersLiterals(t *testing.T) {
	r := newRouter([]operation{
		{id: "scep", method: "GET", pattern: "/registrations/{procid}/scep"},
		{id: "accounts", method: "GET", pattern: "/registrations/{procid}/acme/accounts"},
		{id: "generic", method: "GET", pattern: "/registrations/{procid}"},
		{id: "generic-post", method: "POST", pattern: "/registrations/{procid}"},
		{id: "bycert", method: "GET", pattern: "/registrations/certificate/{certid}"},
		{id: "attr", method: "POST", pattern: "/certificates/{certid}/pkcs10-to-attr-cert"},
		{id: "details", method: "GET", pattern: "/certificates/{certid}/details"},
	})
	for _, c := range []struct{ method, path, id, params string }{
		{"GET", "/registrations/p-scep/scep", "scep", `{"procid":"p-scep"}`},
		{"GET", "/registrations/certificate/scep", "bycert", `{"certid":"scep"}`},
		{"GET", "/registrations/certificate", "generic", `{"procid":"certificate"}`},
		{"POST", "/registrations/a%2Fb", "generic-post", `{"procid":"a/b"}`},
		{"GET", "/registrations/x/acme/accounts", "accounts", `{"procid":"x"}`},
		{"POST", "/registrations/certificate/5", "", ""},
	} {
		op, params, known := r.find(c.method, c.path)
		got, _ := json.Marshal(params)
		if !known || op == nil && c.id != "" || op != nil && (op.id != c.id || string(got) != c.params) {
			t.Errorf("%s %s: %+v %s %v", c.method, c.path, op, got, known)
		}
	}
}

// HTTP/1.1 and HTTP/2 alike, and the date of the sandbox's clock.
func TestProtocolsAndDate(t *testing.T) {
	clock := newClock(time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC))
	r := newRig(t, Options{Clock: clock.now})
	for _, h2 := range []bool{false, true} {
		tr := &http.Transport{TLSClientConfig: r.tlsConfig("officer"), ForceAttemptHTTP2: h2}
		resp, err := (&http.Client{Transport: tr}).Get(r.URL + "/procedures")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		tr.CloseIdleConnections()
		if (resp.ProtoMajor == 2) != h2 || resp.Header.Get("Date") != "Thu, 04 Mar 2027 05:06:07 GMT" {
			t.Errorf("HTTP/2 %v: %s, %s", h2, resp.Proto, resp.Header.Get("Date"))
		}
	}
	if rec := r.last(); rec.Time != "2027-03-04T05:06:07.000Z" {
		t.Errorf("logged at %s", rec.Time)
	}
}

func TestRequestLogKeys(t *testing.T) {
	r := newRig(t, Options{})
	id := r.issue("Log")
	r.write(revoke, "certid", id, "reason", "6")
	data, err := os.ReadFile(r.path("requests.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"time", "operationId", "http", "error", "tls", "scheme", "client", "signer", "signatures", "ids", "changed"}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if _, ok := m[k]; !ok || m[k] == nil {
				t.Errorf("%q is missing in %s", k, line)
			}
		}
		if len(m) != len(keys) {
			t.Errorf("%d keys in %s", len(m), line)
		}
	}
	officer, err := readCertificate(r.path("officer.pem"))
	if err != nil {
		t.Fatal(err)
	}
	fp := fingerprint(officer.Raw)
	all := r.requests()
	for i, want := range []record{
		{OperationID: "issueCertificatePkcs10", HTTP: 200, Error: -19, IDs: []string{}, Changed: []string{}},
		{OperationID: "issueCertificatePkcs10", HTTP: 200, Signer: fp, Signatures: 1, IDs: []string{}, Changed: []string{id}},
		{OperationID: "revokeCertificate", HTTP: 200, Error: -19, IDs: []string{id}, Changed: []string{}},
		{OperationID: "revokeCertificate", HTTP: 200, Signer: fp, Signatures: 1, IDs: []string{id}, Changed: []string{id}},
	} {
		want.Time, want.TLS, want.Scheme, want.Client = all[i].Time, "1.3", "ecdsa_secp256r1_sha256", fp
		got, _ := json.Marshal(all[i])
		expected, _ := json.Marshal(want)
		if string(got) != string(expected) {
			t.Errorf("line %d: %s, want %s", i, got, expected)
		}
	}
}
