package cmapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/pki"
)

// TestMoreRequestBytes is TestRequestBytes for what issues keys, attribute
// certificates and packages, imports, and lists issuers.
func TestMoreRequestBytes(t *testing.T) {
	at := time.Date(2026, 3, 2, 16, 4, 5, 0, time.FixedZone("", 3600))
	in := IssueRequest{PKCS10: []byte("\xfb\xff\x00DER"), ValidFrom: at, ValidTo: at.AddDate(1, 0, 0), Procedure: "Förfarande", Media: MediaDER}
	for _, c := range []struct {
		name string
		call func(context.Context, *Client) error
	}{
		{"note39-issue-p12", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.IssueP12(ctx, in, "pass wörd")
			return err
		}},
		{"issue-attr", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.IssueAttrCert(ctx, "20001", in)
			return err
		}},
		{"issue-skip", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.SKIP(ctx, IssueRequest{PKCS10: in.PKCS10})
			return err
		}},
		{"issue-handler", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.IssuePKCS10(ctx, IssueRequest{PKCS10: in.PKCS10, Media: MediaPEM, Handler: "tls 1"})
			return err
		}},
		{"note03-import", func(ctx context.Context, c *Client) error {
			return c.Certificates.Import(ctx, `Import "1"`, []ImportEntry{
				{Certificate: in.PKCS10},
				{Certificate: []byte("\x30\x00"), Revoked: true, Reason: pki.Unspecified, RevokedAt: at},
				{Certificate: []byte("\x30\x01"), Revoked: true, Reason: pki.CertificateHold},
			})
		}},
		{"list-issuers", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.Issuers(ctx, CertificateFilter{IsExpired: true, RevocationReason: []int{1, 4}, ValidToTimeTo: at}, 500, 1000)
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) { sameBytes(t, c.name, c.call) })
	}
}

func TestRefusedBeforeSending(t *testing.T) {
	for name, build := range map[string]func() (Request, error){
		"PKCS#12 without a password":  func() (Request, error) { return NewIssueP12(IssueRequest{PKCS10: []byte{1}}, "") },
		"import of nothing":           func() (Request, error) { return NewImport("p", nil) },
		"password with the boundary":  func() (Request, error) { return NewIssueP12(IssueRequest{}, "--cmctl-3f9a1c5e7b2d4860") },
		"procedure with the boundary": func() (Request, error) { return NewSKIP(IssueRequest{Procedure: "\r\n--cmctl-3f9a1c5e7b2d4860\r\n"}) },
		"procedure with it, attribute": func() (Request, error) {
			return NewIssueAttrCert("1", IssueRequest{Procedure: "cmctl-3f9a1c5e7b2d4860"})
		},
	} {
		if r, err := build(); err == nil {
			t.Errorf("%s: %q", name, r.Body)
		} else if strings.Contains(err.Error(), "--") {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
}

// A limit is no reason to send the same again; being busy is.
func TestImportLimit(t *testing.T) {
	over := `{"error":-40,"msg":"over the limit","errors":[{"arrayindex":2,"errorcode":-40,"limit":2},{"arrayindex":3,"errorcode":-40,"limit":2}]}`
	b := newBench(t, setup{}, inTurn(replyJSON(500, `{"error":-40}`), replyJSON(500, over)))
	entries := []ImportEntry{{Certificate: []byte{1}}, {Certificate: []byte{2}}, {Certificate: []byte{3}}, {Certificate: []byte{4}}}
	err := b.client.Certificates.Import(t.Context(), "", entries)
	if got := ImportLimit(err); got != 2 {
		t.Errorf("limit %d of %v", got, err)
	}
	if n := len(b.requests()); n != 2 {
		t.Errorf("%d requests: one for the busy gateway, one for the limit", n)
	}
	if got := ImportLimit(errors.New("another")); got != 0 {
		t.Errorf("limit %d of another error", got)
	}
}

func TestIssuerJSON(t *testing.T) {
	const in = `{"subject":[{"o":"D"},{"ou":"B"},{"ou":"C"},{"c":"S\u00e9"}],"SUBJECTDN":"o=D","more":1}`
	const want = `{"subjectDn":"o=D","subject":{"o":"D","ou":["B","C"],"c":"Sé"},"more":1}`
	var i Issuer
	if err := json.Unmarshal([]byte(in), &i); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(i)
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

// TestSecretsAreMasked: no password, no PKCS#12 and no package in a trace.
func TestSecretsAreMasked(t *testing.T) {
	const canary = "c4n4ry-c4n4ry"
	var trace bytes.Buffer
	b := newBench(t, setup{client: func(c *Config) { c.Trace = &trace }}, func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, r.Header.Get("Accept"), "\x30"+canary)
	})
	in := IssueRequest{PKCS10: []byte("csr"), Procedure: "Shown"}
	_, err := b.client.Certificates.IssueP12(t.Context(), in, canary)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.Certificates.SKIP(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if text := trace.String(); strings.Contains(text, canary) || strings.Count(text, "procname: Shown") != 2 || strings.Count(text, "password: ***") != 1 {
		t.Errorf("trace:\n%s", text)
	}
}
