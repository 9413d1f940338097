package cmapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// phaseEnv makes the test binary one phase of a write: "prepare FORM" or
// "submit", in the folder of phaseDir. Each phase is a process of its own.
const (
	phaseEnv = "CMAPI_TEST_PHASE"
	dirEnv   = "CMAPI_TEST_DIR"
)

func TestMain(m *testing.M) {
	if phase := os.Getenv(phaseEnv); phase != "" {
		if err := runPhase(phase, os.Getenv(dirEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// registration is a body of the JSON shape, whose operations come later.
type registration struct {
	FQDN     string `json:"fqdn"`
	Password string `json:"password"`
}

var opJSON = Operation{"createRegistrationScep", "POST", "/registrations/{procid}/scep", true, ""}

func shapes() map[Shape]func() (Request, error) {
	return map[Shape]func() (Request, error){
		ShapeForm: func() (Request, error) { return NewRevoke([]string{"10003", "10004"}, pki.Superseded), nil },
		ShapeMultipart: func() (Request, error) {
			return NewIssue(IssueRequest{PKCS10: []byte("\x30\x82 not really"), Procedure: "PKCS#10 Procedure", Media: MediaPEM})
		},
		ShapeJSON: func() (Request, error) {
			return opJSON.json(registration{"device <1>.example.com", "s3cret"}, acceptJSON, "a/b")
		},
	}
}

func runPhase(phase, dir string) error {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			panic(err)
		}
		return b
	}
	officer, err := tls.X509KeyPair(read("officer.pem"), read("officer.key"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(read("ca.pem"))
	c, err := New(Config{
		BaseURL: string(read("url")), RootCAs: pool, UserAgent: "cmctl/test",
		Certificate: func(context.Context) (*tls.Certificate, error) { return &officer, nil },
	})
	if err != nil {
		return err
	}
	if shape, ok := strings.CutPrefix(phase, "prepare "); ok {
		r, err := shapes()[Shape(shape)]()
		if err != nil {
			return err
		}
		p, a, err := c.Prepare(context.Background(), r)
		if err != nil || a != nil {
			return fmt.Errorf("answer %v, error %w", a, err)
		}
		raw, err := json.Marshal(p)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "prepared.json"), raw, 0o600)
	}
	var p Prepared
	if err := json.Unmarshal(read("prepared.json"), &p); err != nil {
		return err
	}
	_, err = c.Submit(context.Background(), &p, read("signature"))
	return err
}

func encode(t *testing.T, kind string, der []byte) []byte {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// TestTwoProcesses prepares in one process and submits from another. The
// server sees the first request again, byte for byte, with nothing but the
// signature put in where the shape wants it.
func TestTwoProcesses(t *testing.T) {
	signature := []byte("\xfb\xff\xfe a CMS SignedData, with +, / and = in its Base64 \x00")
	b64 := base64.StdEncoding.EncodeToString(signature)
	if strings.Trim(b64, "+/=") == b64 || !strings.Contains(b64, "+") {
		t.Fatalf("%s shows nothing", b64)
	}
	for shape, want := range map[Shape]struct{ before, field string }{
		ShapeForm:      {"reason=4&", "signature=" + url.QueryEscape(b64) + "&"},
		ShapeMultipart: {"", "--cmctl-3f9a1c5e7b2d4860\r\nContent-Disposition: form-data; name=\"signature\"\r\n\r\n" + b64 + "\r\n"},
		ShapeJSON:      {"{", `"signature":"` + b64 + `",`},
	} {
		t.Run(string(shape), func(t *testing.T) {
			g := newRawGateway(t, secondReply)
			dir := t.TempDir()
			key, err := x509.MarshalPKCS8PrivateKey(g.officer.PrivateKey)
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range map[string][]byte{
				"url": []byte(g.server.URL + "/pgwy/api/instance"), "ca.pem": encode(t, "CERTIFICATE", g.ca.cert.Raw),
				"officer.pem": encode(t, "CERTIFICATE", g.officer.Certificate[0]), "officer.key": encode(t, "PRIVATE KEY", key), "signature": signature,
			} {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, phase := range []string{"prepare " + string(shape), "submit"} {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), phaseEnv+"="+phase, dirEnv+"="+dir)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", phase, err, out)
				}
			}
			sent := g.sent()
			if len(sent) != 2 {
				t.Fatalf("%d connections, two processes", len(sent))
			}
			heads, bodies := split(t, sent[0]+sent[1])
			if len(heads) != 2 {
				t.Fatalf("%d requests", len(heads))
			}
			length := regexp.MustCompile(`Content-Length: \d+`)
			if first, second := length.ReplaceAllString(heads[0], ""), length.ReplaceAllString(heads[1], ""); first != second {
				t.Errorf("heads differ:\n%s\n%s", first, second)
			}
			if !strings.HasPrefix(bodies[0], want.before) {
				t.Fatalf("the body starts %q, want %q", bodies[0], want.before)
			}
			if signed := want.before + want.field + bodies[0][len(want.before):]; bodies[1] != signed {
				t.Errorf("second send\n%q\nwant\n%q", bodies[1], signed)
			}
			var p Prepared
			raw, _ := os.ReadFile(filepath.Join(dir, "prepared.json"))
			if err := json.Unmarshal(raw, &p); err != nil {
				t.Fatal(err)
			}
			if string(p.DataToSign) != "\x00\x01\x02\x03\x04\x05" || p.Server != g.server.URL+"/pgwy/api/instance" || time.Since(p.ServerTime).Abs() > time.Minute {
				t.Errorf("prepared: %+v", p)
			}
			if shape == ShapeJSON && !json.Valid([]byte(bodies[1])) {
				t.Errorf("the signed body is no JSON: %s", bodies[1])
			}
		})
	}
}

func TestPrepare(t *testing.T) {
	date := time.Now().Add(-3 * time.Hour).UTC().Truncate(time.Second)
	demand := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", date.Format(http.TimeFormat))
		answer(w, 200, "application/json", `{"error":-19,"dataToSign":"AAEC"}`)
	}
	t.Run("the gateway's time is kept", func(t *testing.T) {
		b := newBench(t, setup{}, demand)
		p, a, err := b.client.Prepare(t.Context(), NewReinstate([]string{"1"}))
		if err != nil || a != nil {
			t.Fatal(a, err)
		}
		if age := time.Since(p.FetchedAt); age < 0 || age > time.Minute {
			t.Errorf("fetched %s ago", age)
		}
		p.FetchedAt = time.Time{}
		same(t, "prepared", p, &Prepared{Server: b.client.BaseURL(), Request: NewReinstate([]string{"1"}), DataToSign: []byte{0, 1, 2}, ServerTime: date})
	})
	t.Run("one that signs itself has done it", func(t *testing.T) {
		b := newBench(t, setup{}, replyJSON(200, `{"error":0}`))
		p, a, err := b.client.Prepare(t.Context(), NewReinstate([]string{"1"}))
		if err != nil || p != nil || a == nil || a.HTTP != 200 {
			t.Errorf("%v %v %v", p, a, err)
		}
	})
	t.Run("stale octets come with fresh ones", func(t *testing.T) {
		b := newBench(t, setup{}, demand)
		old := &Prepared{Server: b.client.BaseURL(), Request: NewReinstate([]string{"1"}), DataToSign: []byte("old")}
		_, err := b.client.Submit(t.Context(), old, []byte("sig"))
		var stale *StaleError
		if !errors.As(err, &stale) {
			t.Fatal(err)
		}
		if string(stale.Fresh.DataToSign) != "\x00\x01\x02" || !bytes.Equal(stale.Fresh.Request.Body, old.Request.Body) || string(old.DataToSign) != "old" {
			t.Errorf("fresh %+v, old %+v", stale.Fresh, old)
		}
		if exit.Of(err) != exit.Refused || exit.HintOf(err) == "" {
			t.Errorf("exit %d, hint %q", exit.Of(err), exit.HintOf(err))
		}
	})
	t.Run("no signer", func(t *testing.T) {
		b := newBench(t, setup{client: func(c *Config) { c.Signer = nil }}, demand)
		err := b.client.Certificates.Reinstate(t.Context(), []string{"1"})
		if exit.Of(err) != exit.Key || len(b.requests()) != 1 {
			t.Errorf("%v, %d requests", err, len(b.requests()))
		}
	})
}

// TestSubmitRefuses: what cannot be the request that was prepared is not sent.
func TestSubmitRefuses(t *testing.T) {
	b := newBench(t, setup{}, replyJSON(200, `{"error":0}`))
	good := Prepared{Server: b.client.BaseURL(), Request: NewRevoke([]string{"1"}, pki.Superseded)}
	for name, damage := range map[string]func(*Prepared){
		"another gateway":            func(p *Prepared) { p.Server = "https://test.example:8444/pgwy/api" },
		"the place past the end":     func(p *Prepared) { p.Request.SignatureAt = 1000 },
		"the place before the start": func(p *Prepared) { p.Request.SignatureAt = -1 },
		"an absolute URL for path":   func(p *Prepared) { p.Request.Path = ".evil.example/x" },
		"no shape":                   func(p *Prepared) { p.Request.Shape = ShapeNone },
		"an unknown shape":           func(p *Prepared) { p.Request.Shape = "xml" },
		"no write":                   func(p *Prepared) { p.Request.Write = false },
	} {
		t.Run(name, func(t *testing.T) {
			p := good
			damage(&p)
			if _, err := b.client.Submit(t.Context(), &p, []byte("sig")); err == nil {
				t.Error("no error")
			}
		})
	}
	if n := len(b.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	if _, err := b.client.Submit(t.Context(), &good, []byte("sig")); err != nil || len(b.requests()) != 1 {
		t.Errorf("the good one: %v, %d requests", err, len(b.requests()))
	}
}

func TestJSONShape(t *testing.T) {
	for name, body := range map[string]any{"no object": []string{"a"}, "an empty object": struct{}{}, "not JSON": func() {}} {
		if r, err := opJSON.json(body, acceptJSON, "1"); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r, err := NewIssue(IssueRequest{Procedure: "x cmctl-3f9a1c5e7b2d4860 y"}); err == nil {
		t.Errorf("a value with the boundary: %+v", r)
	}
}
