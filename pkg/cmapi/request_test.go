package cmapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/pki"
)

var update = flag.Bool("update", false, "write the golden files anew")

// secondReply asks for a signature first and then answers with a certificate
// or JSON, as the request wants.
func secondReply(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Method != http.MethodGet && !bytes.Contains(body, []byte("signature")):
		answer(w, 200, "application/json", `{"error":-19,"msg":"sign and resend","dataToSign":"AAECAwQF"}`)
	case r.Header.Get("Accept") == acceptJSON:
		answer(w, 200, "application/json", `{"error":0,"certificate":{"certid":"1","status":"active"}}`)
	default:
		answer(w, 200, "application/pkix-cert", "\x30\x00")
	}
}

// TestRequestBytes compares every byte that is sent, signed resend included,
// with testdata/wire/*.http. Read these files beside the API's description:
// they are what the client promises to write.
func TestRequestBytes(t *testing.T) {
	at := time.Date(2026, 3, 2, 16, 4, 5, 0, time.FixedZone("", 3600))
	csr := []byte(strings.Repeat("\xfb\xff\x00DER of a PKCS#10 request, long enough for many lines ", 3))
	for _, c := range []struct {
		name string // the notes that it shows
		call func(context.Context, *Client) error
	}{
		{"request-list", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.List(ctx, CertificateFilter{}, 0, 0)
			return err
		}},
		{"note17-note18-note27-note37-note40-list", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.List(ctx, CertificateFilter{
				Issuer: `cn="Demo, Issuing",o=Demo & Sons+Co,c=SE`, SubjectType: []string{"EE", "CA"}, RevocationReason: []int{1, 4, 10},
				CertificateSerialNumber: "00ff", IsNotRevoked: true, RevocationTimeFrom: at, ValidToTimeTo: at.Add(1500 * time.Millisecond),
				Extra: url.Values{"orderBy": {"validTo"}},
			}, 500, 1000)
			return err
		}},
		{"note36-percent-encoded-path", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.Details(ctx, "a/b+c=%?#ö")
			return err
		}},
		{"note22-download-whole-chain", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.Download(ctx, "20001", MediaPEM, 0)
			return err
		}},
		{"note22-download-depth", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.Download(ctx, "20001", MediaPEM, 2)
			return err
		}},
		{"note22-download-der-has-no-depth", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.Download(ctx, "20001", MediaDER, 2)
			return err
		}},
		{"request-procedures", func(ctx context.Context, c *Client) error {
			_, err := c.Procedures.List(ctx)
			return err
		}},
		{"note21-revoke", func(ctx context.Context, c *Client) error {
			return c.Certificates.Revoke(ctx, []string{"10003", "10004", "a b&c=d"}, pki.KeyCompromise)
		}},
		{"note21-reinstate", func(ctx context.Context, c *Client) error {
			return c.Certificates.Reinstate(ctx, []string{"10003", "10004"})
		}},
		{"note03-note20-issue", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.IssuePKCS10(ctx, IssueRequest{
				PKCS10: csr, ValidFrom: at, ValidTo: at.AddDate(1, 0, 0), Procedure: "PKCS#10 Procedure", Media: MediaPEM,
			})
			return err
		}},
		{"note20-issue-least", func(ctx context.Context, c *Client) error {
			_, err := c.Certificates.IssuePKCS10(ctx, IssueRequest{PKCS10: csr, Media: MediaDER})
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) { sameBytes(t, c.name, c.call) })
	}
}

// sameBytes makes a call and compares what was sent with its golden file.
func sameBytes(t *testing.T, name string, call func(context.Context, *Client) error) {
	t.Helper()
	g := newRawGateway(t, secondReply)
	if err := call(t.Context(), g.client); err != nil {
		t.Fatal(err)
	}
	got := withoutHost(strings.Join(g.sent(), "\n=== another connection\n"))
	file := filepath.Join(wireDir, name+".http")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("sent\n%s\nand not\n%s", got, want)
	}
}

// TestSignedFormOrder: reason and signature stand before the first of many
// certids, one pair each, so that a container that drops parameters drops
// certids, and no more than MaxIDs are ever in one request's promise.
func TestSignedFormOrder(t *testing.T) {
	many := make([]string, MaxIDs)
	for i := range many {
		many[i] = strings.Repeat("7", 1+i%9)
	}
	signature := []byte("\xfb\xff signature \x00")
	for _, c := range []struct {
		name string
		r    Request
		head []string
	}{
		{"revoke", NewRevoke(many, pki.CertificateHold), []string{"reason"}},
		{"reinstate", NewReinstate(many), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			pairs := strings.Split(string(c.r.WithSignature(signature).Body), "&")
			var names, ids []string
			for i, p := range pairs {
				name, value, ok := strings.Cut(p, "=")
				if !ok || value == "" {
					t.Fatalf("pair %d is %q", i, p)
				}
				names = append(names, name)
				if name == "certid" {
					ids = append(ids, value)
				}
			}
			want := append(append([]string(nil), c.head...), "signature")
			for range many {
				want = append(want, "certid")
			}
			same(t, "names in order", names, want)
			same(t, "ids", ids, many)
			values, err := url.ParseQuery(string(c.r.WithSignature(signature).Body))
			if err != nil || values.Get("signature") != base64.StdEncoding.EncodeToString(signature) {
				t.Errorf("signature %q, %v", values.Get("signature"), err)
			}
			if len(pairs) > 1000 {
				t.Errorf("%d parameters: containers drop those past 1000", len(pairs))
			}
		})
	}
}

// TestFilterQuery: every filter of the API, and no name besides, in the one
// form that is sent.
func TestFilterQuery(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 1, day, 1, 0, 0, 0, time.FixedZone("", 3600)) }
	f := CertificateFilter{
		CardSerialNumber: "card", CertificateSerialNumber: "0a", SubjectCommonName: "cn", SubjectGivenName: "gn", SubjectSurName: "sn",
		SubjectOrganisationName: "o", SubjectOrganisationUnit: "ou", SubjectSerialNumber: "ssn", SubjectCountry: "SE", Issuer: "cn=x",
		AuthorityKeyIdentifier: "aa", SubjectKeyIdentifier: "bb", SubjectType: []string{"EE", "CA"}, RevocationReason: []int{0, 6},
		Field1: "1", Field2: "2", Field3: "3", Field4: "4", Field5: "5", Field6: "6",
		RevocationTimeFrom: at(1), RevocationTimeTo: at(2), PublicationTimeFrom: at(3), PublicationTimeTo: at(4), OCSPActivationTimeFrom: at(5),
		OCSPActivationTimeTo: at(6), ValidFromTimeFrom: at(7), ValidFromTimeTo: at(8), ValidToTimeFrom: at(9), ValidToTimeTo: at(10),
		IsNotRevoked: true, PublicationAllowed: true, IsNotYetValid: true, IsExpired: true,
		Extra: url.Values{"orderBy": {"certid"}},
	}
	want := url.Values{
		"cardSerialNumber": {"card"}, "certificateSerialNumber": {"0a"}, "subjectCommonName": {"cn"}, "subjectGivenName": {"gn"},
		"subjectSurName": {"sn"}, "subjectOrganisationName": {"o"}, "subjectOrganisationUnit": {"ou"}, "subjectSerialNumber": {"ssn"},
		"subjectCountry": {"SE"}, "issuer": {"cn=x"}, "authorityKeyIdentifier": {"aa"}, "subjectKeyIdentifier": {"bb"},
		"subjectType": {"EE,CA"}, "revocationReason": {"0,6"},
		"field1": {"1"}, "field2": {"2"}, "field3": {"3"}, "field4": {"4"}, "field5": {"5"}, "field6": {"6"},
		"revocationTimeFrom": {"2026-01-01T00:00:00Z"}, "revocationTimeTo": {"2026-01-02T00:00:00Z"},
		"publicationTimeFrom": {"2026-01-03T00:00:00Z"}, "publicationTimeTo": {"2026-01-04T00:00:00Z"},
		"ocspActivationTimeFrom": {"2026-01-05T00:00:00Z"}, "ocspActivationTimeTo": {"2026-01-06T00:00:00Z"},
		"validFromTimeFrom": {"2026-01-07T00:00:00Z"}, "validFromTimeTo": {"2026-01-08T00:00:00Z"},
		"validToTimeFrom": {"2026-01-09T00:00:00Z"}, "validToTimeTo": {"2026-01-10T00:00:00Z"},
		"isNotRevoked": {"true"}, "publicationAllowed": {"true"}, "isNotYetValid": {"true"}, "isExpired": {"true"},
		"orderBy": {"certid"},
	}
	same(t, "query", f.Query(), want)
	same(t, "query of no filter", CertificateFilter{}.Query(), url.Values{})
	delete(want, "orderBy")
	for _, paging := range []string{"searchLimit", "searchOffset"} {
		want[paging] = nil
	}
	if names := FilterParameters(); len(names) != len(want) || len(want) != 36 {
		t.Errorf("%d names, %d in the test, the API has 36", len(names), len(want))
	}
	for _, name := range FilterParameters() {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is in FilterParameters and not in the test", name)
		}
	}
}

// TestOperations compares the table of operations with the API's description.
func TestOperations(t *testing.T) {
	spec, err := os.ReadFile("../../testdata/api/cm-rest-api.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range Operations() {
		block := regexp.MustCompile(`(?s)\n  ` + regexp.QuoteMeta(op.Path) + `:\n(.*?)(\n  /|\ncomponents:)`).FindSubmatch(spec)
		if block == nil {
			t.Errorf("%s: no path %s", op.ID, op.Path)
			continue
		}
		method := regexp.MustCompile(`(?m)^    ` + strings.ToLower(op.Method) + `:\n(?s:.*?)operationId: (\w+)`).FindSubmatch(block[1])
		if method == nil || string(method[1]) != op.ID {
			t.Errorf("%s is not the operation of %s %s", op.ID, op.Method, op.Path)
		}
	}
}
