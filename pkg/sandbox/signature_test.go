package sandbox

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
)

// testClock goes only when told.
type testClock struct{ at atomic.Int64 }

func newClock(t time.Time) *testClock {
	c := &testClock{}
	c.at.Store(t.UnixNano())
	return c
}

func (c *testClock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *testClock) advance(d time.Duration) { c.at.Add(int64(d)) }

// keep writes an identity made by a CA where openssl finds it.
func (r *rig) keep(name string, issuer *ca.Issuer, leaf ca.Leaf) *x509.Certificate {
	r.t.Helper()
	made, err := issuer.NewLeaf(leaf)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := (identity{cert: made.Cert, key: made.Key, above: issuer.Cert}).save(r.Dir, name); err != nil {
		r.t.Fatal(err)
	}
	return made.Cert
}

// Each way in which a signature can be wrong is made with OpenSSL and refused
// with -17, and nothing changes.
func TestSignatureRefused(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	expired := makeExpired(t, dir, now)
	r := newRig(t, Options{Officers: []*x509.Certificate{expired}})
	id, other := r.issue("Refused"), r.issue("Other")
	request := []string{"reason", "1", "certid", id}

	foreign, err := ca.NewForeign(now)
	if err != nil {
		t.Fatal(err)
	}
	r.keep("impostor", foreign, ca.Leaf{CN: "Demo Officer", Org: "Demo", Country: "SE", NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)})
	r.keep("nobody", r.home.ca.Issuing[0], ca.Leaf{CN: "Demo Officer", Org: "Demo", Country: "SE", NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)})
	for _, name := range []string{"expired.pem", "expired.key"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(r.path(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := r.send("expired", r.request("GET", "/procedures", "", "")); err == nil {
		t.Errorf("an expired pinned officer was let in: %d %s", a.status, a.body)
	}
	byOfficer := func(tbs []byte) string { return r.cms("officer", tbs) }
	for _, c := range []struct {
		name    string
		sign    func(tbs []byte) string
		send    []string // in place of request
		path    string   // in place of revoke
		message string
	}{
		{name: "content off by a byte", message: "dataToSign",
			sign: func(tbs []byte) string {
				bad := bytes.Clone(tbs)
				bad[len(bad)-1] ^= 1
				return r.cms("officer", bad)
			}},
		{name: "content changed after signing", message: "messageDigest",
			sign: func(tbs []byte) string {
				der, _ := base64.StdEncoding.DecodeString(r.cms("officer", tbs))
				at := bytes.Index(der, tbs)
				der[at+len(tbs)-1] ^= 1
				return base64.StdEncoding.EncodeToString(der)
			}},
		{name: "content with an octet more", message: "dataToSign", sign: func(tbs []byte) string { return r.cms("officer", append(tbs, 0)) }},
		{name: "empty content", message: "dataToSign", sign: func([]byte) string { return r.cms("officer", nil) }},
		{name: "another request's signature", message: "not those that were signed",
			sign: func([]byte) string { return byOfficer(r.toSign(revoke, "reason", "1", "certid", other)) }},
		{name: "another operation's signature", message: "it is for reinstateCertificate",
			sign: func([]byte) string { return byOfficer(r.toSign(reinstate, "certid", id)) }},
		{name: "a certid added", message: "not those that were signed", sign: byOfficer, send: append([]string{"certid", other}, request...)},
		{name: "a certid added at the end", message: "not those that were signed", sign: byOfficer, send: append(request, "certid", other)},
		{name: "another certid", message: "not those that were signed", sign: byOfficer, send: []string{"reason", "1", "certid", other}},
		{name: "the reason changed", message: "not those that were signed", sign: byOfficer, send: []string{"reason", "4", "certid", id}},
		{name: "detached", message: "detached", sign: func(tbs []byte) string {
			return base64.StdEncoding.EncodeToString(r.openssl(tbs, "cms", "-sign", "-binary", "-outform", "DER", "-signer", "officer.pem", "-inkey", "officer.key"))
		}},
		{name: "guest", message: "rights", sign: func(tbs []byte) string { return r.cms("guest", tbs) }},
		{name: "expired signer", message: "not valid now", sign: func(tbs []byte) string { return r.cms("expired", tbs) }},
		{name: "foreign CA with an officer's name", message: "no officer", sign: func(tbs []byte) string { return r.cms("impostor", tbs) }},
		{name: "our CA with an officer's name", message: "no officer", sign: func(tbs []byte) string { return r.cms("nobody", tbs) }},
		{name: "SHA-1", message: "SHA-1", sign: func(tbs []byte) string { return r.cms("officer", tbs, "-md", "sha1") }},
		{name: "BER", message: "indefinite length", sign: func(tbs []byte) string { return r.cms("officer", tbs, "-stream") }},
		{name: "not CMS", message: "not DER", sign: func([]byte) string { return base64.StdEncoding.EncodeToString([]byte("hello")) }},
		{name: "empty", message: "not DER", sign: func([]byte) string { return "" }},
	} {
		pairs := c.send
		if pairs == nil {
			pairs = request
		}
		a := r.post(revoke, append(pairs, "signature", c.sign(r.toSign(revoke, request...)))...)
		msg, _ := a.field("msg").(string)
		if a.status != http.StatusInternalServerError || a.code() != codeBadSignature || !strings.Contains(msg, c.message) {
			t.Errorf("%s: %d %s, want -17 and %q", c.name, a.status, a.body, c.message)
		}
		if rec := r.last(); len(rec.Changed) != 0 || rec.Signatures != 1 {
			t.Errorf("%s: logged as %+v", c.name, rec)
		}
	}
	if a, b := r.state(id), r.state(other); a != "active" || b != "active" {
		t.Errorf("after all that: %q, %q", a, b)
	}
}

// makeExpired makes an officer whose certificate was valid until an hour ago.
func makeExpired(t *testing.T, dir string, now time.Time) *x509.Certificate {
	t.Helper()
	issuer, err := ca.NewForeign(now)
	if err != nil {
		t.Fatal(err)
	}
	made, err := issuer.NewLeaf(ca.Leaf{CN: "Expired Officer", NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if err := (identity{cert: made.Cert, key: made.Key, above: issuer.Cert}).save(dir, "expired"); err != nil {
		t.Fatal(err)
	}
	return made.Cert
}

func TestSignatureReplayed(t *testing.T) {
	r := newRig(t, Options{})
	id := r.issue("Replay")
	sig := r.cms("officer", r.toSign(revoke, "certid", id, "reason", "6"))
	first := r.post(revoke, "certid", id, "reason", "6", "signature", sig)
	lifted := r.write(reinstate, "certid", id)
	again := r.post(revoke, "certid", id, "reason", "6", "signature", sig)
	if first.code() != codeOK || lifted.code() != codeOK || again.code() != codeBadSignature || r.state(id) != "active" {
		t.Errorf("first %s, lifted %s, again %s, state %q", first.body, lifted.body, again.body, r.state(id))
	}
	// A second signature over the same dataToSign is a replay as well.
	tbs := r.toSign(revoke, "certid", id, "reason", "6")
	if a := r.post(revoke, "certid", id, "reason", "6", "signature", r.cms("officer", tbs)); a.code() != codeOK {
		t.Errorf("%s", a.body)
	}
	if a := r.post(revoke, "certid", id, "reason", "6", "signature", r.cms("officer2", tbs)); a.code() != codeBadSignature {
		t.Errorf("signed by another officer: %s", a.body)
	}
}

// A signature counts once also when the request it was for failed as a whole.
func TestSignatureOfAFailedRequestIsUsedUp(t *testing.T) {
	r := newRig(t, Options{})
	id := r.issue("Failed")
	sig := r.cms("officer", r.toSign(reinstate, "certid", id))
	if a := r.post(reinstate, "certid", id, "signature", sig); a.itemCodes() != id+"=910" {
		t.Errorf("%s", a.body)
	}
	if a := r.write(revoke, "certid", id, "reason", "6"); a.code() != codeOK {
		t.Errorf("%s", a.body)
	}
	if a := r.post(reinstate, "certid", id, "signature", sig); a.code() != codeBadSignature {
		t.Errorf("%s", a.body)
	}
}

func TestSignatureAccepted(t *testing.T) {
	r := newRig(t, Options{})
	for _, c := range []struct {
		name, who string
		extra     []string
	}{
		{"as the notes have it", "officer", nil},
		{"no attributes", "officer", []string{"-noattr"}},
		{"SHA-384", "officer", []string{"-md", "sha384"}},
		{"SHA-512", "officer", []string{"-md", "sha512"}},
		{"named by key", "officer", []string{"-keyid"}},
		{"with the chain", "officer", []string{"-certfile", "ca.pem"}},
		// Cards have a key for TLS and another for signing.
		{"another officer than the session's", "officer2", nil},
	} {
		id := r.issue("Accepted")
		sig := r.cms(c.who, r.toSign(revoke, "certid", id, "reason", "1"), c.extra...)
		if a := r.post(revoke, "certid", id, "reason", "1", "signature", sig); a.code() != codeOK {
			t.Errorf("%s: %s", c.name, a.body)
		}
		rec := r.last()
		signer, err := readCertificate(r.path(c.who + ".pem"))
		if err != nil {
			t.Fatal(err)
		}
		if want := fingerprint(signer.Raw); rec.Signer != want {
			t.Errorf("%s: signer %s, want %s", c.name, rec.Signer, want)
		}
	}
}

// --officer: RSA key, self-signed certificate, for TLS and for signing.
func TestPinnedOfficer(t *testing.T) {
	dir := t.TempDir()
	helper := &rig{Server: &Server{Dir: dir}, t: t}
	helper.openssl(nil, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "token.key", "-out", "token.pem", "-subj", "/CN=Token Officer", "-days", "30")
	helper.openssl(nil, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "child.key", "-out", "child.pem", "-subj", "/CN=Child", "-days", "30", "-CA", "token.pem", "-CAkey", "token.key")
	pinned, err := ReadOfficer(filepath.Join(dir, "token.pem"))
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Options{Officers: []*x509.Certificate{pinned}})
	for _, name := range []string{"token.pem", "token.key", "child.pem", "child.key"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(r.path(name), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	id := r.issue("Pinned")
	body := encode("certid", id, "reason", "1", "signature", r.cms("token", r.toSign(revoke, "certid", id, "reason", "1")))
	if a := r.must("token", r.request("POST", revoke, urlencoded, body)); a.code() != codeOK {
		t.Errorf("%s", a.body)
	}
	if rec := r.last(); rec.Client != fingerprint(pinned.Raw) || rec.Signer != rec.Client || rec.Scheme != "rsa_pss_rsae_sha256" {
		t.Errorf("logged as %+v", rec)
	}
	if a, err := r.send("child", r.request("GET", "/procedures", "", "")); err == nil {
		t.Errorf("what a pinned certificate issued was let in: %d %s", a.status, a.body)
	}
}

// A dataToSign that was signed too late is answered with a new one.
func TestSignatureTooLate(t *testing.T) {
	clock := newClock(time.Now())
	r := newRig(t, Options{Clock: clock.now})
	id := r.issue("Late")
	tbs := r.toSign(revoke, "certid", id, "reason", "1")
	clock.advance(signWithin + time.Second)
	a := r.post(revoke, "certid", id, "reason", "1", "signature", r.cms("officer", tbs))
	if a.status != http.StatusOK || a.code() != codeSignature || r.state(id) != "active" {
		t.Errorf("%d %s", a.status, a.body)
	}
	data, _ := a.field("dataToSign").(string)
	tbs, _ = base64.StdEncoding.DecodeString(data)
	if a := r.post(revoke, "certid", id, "reason", "1", "signature", r.cms("officer", tbs)); a.code() != codeOK {
		t.Errorf("%s", a.body)
	}
}

// What a revoked officer's certificate signs or asks counts no more.
func TestRevokedOfficer(t *testing.T) {
	r := newRig(t, Options{})
	id := r.issue("Revoked officer")
	if a := r.write(revoke, "certid", idText(officer2ID), "reason", "1"); a.code() != codeOK {
		t.Fatalf("%s", a.body)
	}
	sig := r.cms("officer2", r.toSign(revoke, "certid", id, "reason", "1"))
	if a := r.post(revoke, "certid", id, "reason", "1", "signature", sig); a.code() != codeBadSignature {
		t.Errorf("signing: %s", a.body)
	}
	if a := r.must("officer2", r.request("GET", "/procedures", "", "")); a.code() != codePrivilege {
		t.Errorf("asking: %s", a.body)
	}
}

// Nonces, the seal, state and keys are there after a restart on the same folder.
func TestRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sandbox")
	r := newRig(t, Options{Dir: dir})
	id, other := r.issue("Restart"), r.issue("Restart 2")
	used := r.cms("officer", r.toSign(revoke, "certid", id, "reason", "6"))
	if a := r.post(revoke, "certid", id, "reason", "6", "signature", used); a.code() != codeOK {
		t.Fatalf("%s", a.body)
	}
	waiting := r.cms("officer", r.toSign(revoke, "certid", other, "reason", "1"))
	before, err := os.ReadFile(r.path("officer.p12"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = newRig(t, Options{Dir: dir})
	if got := r.state(id); got != "revoked 6" {
		t.Errorf("state %q", got)
	}
	if a := r.post(revoke, "certid", id, "reason", "6", "signature", used); a.code() != codeBadSignature {
		t.Errorf("replayed over a restart: %s", a.body)
	}
	if a := r.post(revoke, "certid", other, "reason", "1", "signature", waiting); a.code() != codeOK {
		t.Errorf("signed before, sent after: %s", a.body)
	}
	if after, err := os.ReadFile(r.path("officer.p12")); err != nil || !bytes.Equal(before, after) {
		t.Error("officer.p12 changed", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	littered := t.TempDir()
	if err := os.WriteFile(filepath.Join(littered, "config.yaml"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(context.Background(), Options{Dir: littered}); err == nil || !strings.Contains(err.Error(), "other things") {
		t.Errorf("a folder with other things in it: %v", err)
	}
}
