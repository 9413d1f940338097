package cmapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

const wireDir = "../../testdata/wire"

// wire is one odd answer, as testdata/wire holds them, and what the client
// must make of it: the decoded value, or the error.
type wire struct {
	Note        string
	Operation   string
	Status      int
	ContentType string
	Header      map[string]string
	Body        json.RawMessage // sent as it stands there
	Text        *string         // instead of Body
	Text64      []byte
	Want        json.RawMessage
	Error       *wireError
}

type wireError struct {
	Fault   string
	HTTP    int
	Code    int
	Message string
	Items   []ItemError
	Excerpt string
	Lost    bool
	Exit    exit.Code
	Text    string
	Signed  []byte `json:",omitempty"` // what the signer got before
}

var faultNames = map[Fault]string{
	FaultGateway: "gateway", FaultUnreachable: "unreachable", FaultTimeout: "timeout", FaultNonsense: "nonsense", FaultIdentity: "identity",
	FaultRefused: "refused", FaultRedirect: "redirect", FaultKey: "key", FaultEnded: "ended",
}

func wireErrorOf(err error) *wireError {
	var e *Error
	if !errors.As(err, &e) {
		return &wireError{Text: err.Error(), Exit: exit.Of(err)}
	}
	return &wireError{faultNames[e.Fault], e.HTTP, e.Code, e.Message, e.Items, e.Excerpt, e.Lost, exit.Of(err), err.Error(), nil}
}

// plain is a Certificate without its JSON form, so that every field is
// compared as it was decoded.
type plain Certificate

type plainPage struct {
	Hits         int
	Certificates []plain
}

type plainProcedure Procedure

type plainIssuer Issuer

type plainIssuers struct {
	Hits    int
	Issuers []plainIssuer
}

// call calls the operation and gives its result in a form that a want can be
// decoded into.
func call(ctx context.Context, c *Client, operation string) (got, into any, err error) {
	switch operation {
	case "getCertificateDetails":
		cert, err := c.Certificates.Details(ctx, "20001")
		if err != nil {
			return nil, nil, err
		}
		return (*plain)(cert), &plain{}, nil
	case "listCertificates":
		page, err := c.Certificates.List(ctx, CertificateFilter{}, 0, 0)
		if err != nil {
			return nil, nil, err
		}
		out := &plainPage{Hits: page.Hits}
		if page.Certificates != nil {
			out.Certificates = []plain{}
		}
		for _, c := range page.Certificates {
			out.Certificates = append(out.Certificates, plain(c))
		}
		return out, &plainPage{}, nil
	case "downloadCertificate":
		blob, err := c.Certificates.Download(ctx, "20001", MediaDER, 0)
		return blob, &Blob{}, err
	case "issueCertificatePkcs10":
		blob, err := c.Certificates.IssuePKCS10(ctx, IssueRequest{PKCS10: []byte("csr"), Media: MediaPKCS7})
		return blob, &Blob{}, err
	case "listProcedures":
		list, err := c.Procedures.List(ctx)
		if err != nil {
			return nil, nil, err
		}
		var out []plainProcedure
		if list != nil {
			out = []plainProcedure{}
		}
		for _, p := range list {
			out = append(out, plainProcedure(p))
		}
		return &out, &[]plainProcedure{}, nil
	case "revokeCertificate":
		done := "done"
		return &done, new(string), c.Certificates.Revoke(ctx, []string{"1", "2"}, pki.Superseded)
	case "issueCertificatePkcs10ToPkcs12":
		blob, err := c.Certificates.IssueP12(ctx, IssueRequest{PKCS10: []byte("csr")}, "secret")
		return blob, &Blob{}, err
	case "issueCertificatePkcs10ToAttrCert":
		blob, err := c.Certificates.IssueAttrCert(ctx, "20001", IssueRequest{PKCS10: []byte("csr"), Media: MediaDER})
		return blob, &Blob{}, err
	case "secureKeyInjectionPackage":
		blob, err := c.Certificates.SKIP(ctx, IssueRequest{PKCS10: []byte("csr")})
		return blob, &Blob{}, err
	case "importPKIX509":
		done := "done"
		return &done, new(string), c.Certificates.Import(ctx, "", []ImportEntry{{Certificate: []byte("one")}, {Certificate: []byte("two")}})
	case "listIssuers":
		page, err := c.Certificates.Issuers(ctx, CertificateFilter{}, 0, 0)
		if err != nil {
			return nil, nil, err
		}
		out := &plainIssuers{Hits: page.Hits}
		for _, i := range page.Issuers {
			out.Issuers = append(out.Issuers, plainIssuer(i))
		}
		return out, &plainIssuers{}, nil
	case "reinstateCertificate":
		done := "done"
		return &done, new(string), c.Certificates.Reinstate(ctx, []string{"1", "2"})
	}
	return callRegistrations(ctx, c, operation)
}

// TestWire feeds every file of testdata/wire to the client.
func TestWire(t *testing.T) {
	files, err := filepath.Glob(wireDir + "/*.json")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var now wire
	b := newBench(t, setup{}, func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range now.Header {
			w.Header().Set(k, v)
		}
		body := []byte(now.Body)
		switch {
		case now.Text != nil:
			body = []byte(*now.Text)
		case now.Text64 != nil:
			body = now.Text64
		}
		w.Header()["Content-Type"] = []string{now.ContentType}
		if now.ContentType == "" {
			w.Header()["Content-Type"] = nil
		}
		w.WriteHeader(now.Status)
		_, _ = w.Write(body)
	})
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			now = wire{}
			dec := json.NewDecoder(bytes.NewReader(raw))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&now); err != nil {
				t.Fatal(err)
			}
			b.mu.Lock()
			b.signed = nil
			b.mu.Unlock()
			got, want, err := call(t.Context(), b.client, now.Operation)
			switch {
			case err != nil && now.Error != nil:
				e := wireErrorOf(err)
				if len(b.signed) > 0 {
					e.Signed = b.signed[0]
				}
				same(t, now.Note, e, now.Error)
			case err != nil:
				t.Errorf("%s: %v", now.Note, err)
			case now.Error != nil:
				t.Errorf("%s: no error but %+v", now.Note, got)
			default:
				if err := json.Unmarshal(now.Want, want); err != nil {
					t.Fatal(err)
				}
				same(t, now.Note, got, want)
			}
		})
	}
}

// TestCertificateJSON: what is printed has the API's names, normal forms and
// everything that the gateway said besides.
func TestCertificateJSON(t *testing.T) {
	const in = `{"future":{"z":1.50},"CERTID":7,"status":"REVOKED","reason":6,"certificateserialnumber":"0A:1B","revocationtime":1710000000999,
		"validto":"2027-01-15T09:00:00+01:00","keyusage":["a"],"extendedcertsearch":{"field1":"x"},"Another":"<&>"}`
	const want = `{"certid":"7","certificateserialnumber":"0a1b","validto":"2027-01-15T08:00:00Z","status":"revoked","reason":"certificateHold",` +
		`"revocationtime":"2024-03-09T16:00:00Z","keyusage":["a"],"extendedcertsearch":{"field1":"x"},"Another":"\u003c\u0026\u003e","future":{"z":1.50}}`
	var c Certificate
	if err := json.Unmarshal([]byte(in), &c); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(c)
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	if !c.OnHold() {
		t.Error("it is not on hold")
	}
	var again Certificate
	if err := json.Unmarshal(got, &again); err != nil {
		t.Fatal(err)
	}
	twice, _ := json.Marshal(again)
	if string(twice) != want {
		t.Errorf("read back and written again: %s", twice)
	}
}

func TestDecodeBase64(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "AAEC": "\x00\x01\x02", "AAECAw==": "\x00\x01\x02\x03", "AAECAw": "\x00\x01\x02\x03", "AA EC\r\n\tAw==\n": "\x00\x01\x02\x03",
		"+/8=": "\xfb\xff", "-_8": "\xfb\xff",
	} {
		if got, err := DecodeBase64(in); err != nil || string(got) != want {
			t.Errorf("%q: %x, %v", in, got, err)
		}
	}
	for _, in := range []string{"A", "AA!A", "A\x00AA"} {
		if got, err := DecodeBase64(in); err == nil {
			t.Errorf("%q: %x and no error", in, got)
		}
	}
}

// FuzzAnswer: no body and no header makes the client panic, take JSON for a
// certificate, or print what it cannot print.
func FuzzAnswer(f *testing.F) {
	files, _ := filepath.Glob(wireDir + "/*.json")
	for _, file := range files {
		raw, _ := os.ReadFile(file)
		var w wire
		if json.Unmarshal(raw, &w) == nil && w.Body != nil {
			f.Add(w.Status, w.ContentType, []byte(w.Body))
		}
	}
	f.Add(200, "application/pkix-cert", []byte{0x30, 0x80})
	c, err := New(Config{BaseURL: "https://h"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		for _, r := range []Request{opDownload.read(nil, MediaDER, "1"), NewReinstate([]string{"1"}), opListCertificates.read(nil, acceptJSON)} {
			a, err := c.judge(r, &Answer{HTTP: status, ContentType: contentType, Body: body}, 0)
			if (a == nil) == (err == nil) {
				t.Fatalf("answer %v and error %v", a, err)
			}
			if err != nil && err.Error() == "" {
				t.Error("an error without words")
			}
			if err == nil && r.Operation == opDownload.ID && json.Valid(body) && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
				t.Errorf("JSON taken for a certificate: %q", body)
			}
		}
		var cert Certificate
		if json.Unmarshal(body, &cert) == nil {
			out, err := json.Marshal(cert)
			if err != nil || !json.Valid(out) {
				t.Errorf("written as %q: %v", out, err)
			}
		}
		_, _ = DecodeBase64(base64.StdEncoding.EncodeToString(body))
	})
}
