package cmdutil

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/terminal"
)

// known is one certificate of the gateway in these tests.
type known struct {
	id, serial, issuer, subject string
	cert                        *x509.Certificate
	broken                      bool // the gateway cannot tell of it
}

func newFactory(stderr *bytes.Buffer) *Factory {
	return &Factory{Streams: &terminal.Streams{In: strings.NewReader(""), Out: stderr, Err: stderr}, Env: func(string) (string, bool) { return "", false }}
}

func gatewayWith(t *testing.T, calls *atomic.Int64, certs ...known) *cmapi.Client {
	t.Helper()
	record := func(k known) map[string]any {
		return map[string]any{"certid": k.id, "status": "active", "certificateserialnumber": k.serial, "issuer": k.issuer, "subject": k.subject}
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		if len(parts) == 1 {
			page := []any{}
			for _, k := range certs {
				if strings.EqualFold(strings.TrimLeft(k.serial, "0"), strings.TrimLeft(r.URL.Query().Get("certificateSerialNumber"), "0")) && r.URL.Query().Get("subjectType") == "EE,CA" {
					page = append(page, record(k))
				}
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"error": 0, "searchHits": len(page), "certificates": page})
			return
		}
		for _, k := range certs {
			switch {
			case k.id != parts[1]:
				continue
			case k.broken:
				w.WriteHeader(http.StatusInternalServerError)
				fmt.Fprint(w, `{"error":-15,"msg":"no role"}`)
			case parts[2] == "download":
				w.Header().Set("Content-Type", cmapi.MediaDER)
				_, _ = w.Write(k.cert.Raw)
			default:
				_ = json.NewEncoder(w).Encode(map[string]any{"error": 0, "certificate": record(k)})
			}
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"error":-14,"msg":"none"}`)
	}))
	t.Cleanup(server.Close)
	client, err := cmapi.New(cmapi.Config{BaseURL: server.URL, RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestResolve(t *testing.T) {
	a, b := newCertificate(t, 0x0a), newCertificate(t, 0x0a) // two issuers, one serial
	only := newCertificate(t, 0x77)
	const dn, other = "cn=Demo Issuing CA,o=Demo,c=SE", "cn=Other,c=SE"
	certs := []known{
		{"1", "0a", dn, "Anna, SE", a, false},
		{"2", "0A", other, "Bo, SE", b, false},
		{"3", "0077", dn, "Cy, SE", only, false},
		{"4", "99", dn, "Di, SE", nil, true},
	}
	for _, c := range []struct {
		name    string
		entries []Entry
		want    []ops.Item
		code    exit.Code
		err     []string
		notice  string
		calls   int64
	}{
		{"certids cost no call, known or not", []Entry{id(1, "1"), id(2, "555")}, []ops.Item{{Key: "1", Line: 1}, {Key: "555", Line: 2}}, 0, nil, "", 0},
		{"arguments", []Entry{{Input: "1", CertID: "1"}, serial(0, "0x77", "77")}, []ops.Item{{Key: "1"}, {Key: "3", Input: "0x77"}}, 0, nil, "", 1},
		{"repeats are taken once, in the order of the first", []Entry{id(1, "3"), id(2, "1"), id(3, "3"), serial(4, "0x77", "77")},
			[]ops.Item{{Key: "3", Line: 1}, {Key: "1", Line: 2}}, 0, nil, "2 repeats", 1},
		{"zeros of a serial do not count", []Entry{serial(1, "0x000077", "000077")}, []ops.Item{{Key: "3", Line: 1, Input: "0x000077"}}, 0, nil, "", 1},
		{"a serial of several issuers", []Entry{serial(1, "0x0a", "0a")}, nil, exit.Usage, []string{"several issuers", "certid 1: Anna, SE, issued by " + dn, "certid 2: Bo, SE, issued by " + other}, "", 1},
		{"the issuer decides", []Entry{{Line: 1, Input: "0a", Serial: "0a", Issuer: "C=SE, CN=Other"}}, []ops.Item{{Key: "2", Line: 1, Input: "0a"}}, 0, nil, "", 1},
		{"the subject decides", []Entry{{Line: 1, Input: "0a", Serial: "0a", Subject: "Anna, SE"}}, []ops.Item{{Key: "1", Line: 1, Input: "0a"}}, 0, nil, "", 1},
		{"the certificate decides", []Entry{{Line: 1, Input: "x", Certificate: b}}, []ops.Item{{Key: "2", Line: 1, Input: "x"}}, 0, nil, "", 3},
		{"a certificate that only shares the serial", []Entry{{Line: 1, Input: "certificate 77", Certificate: newCertificate(t, 0x77)}}, nil, exit.NotFound, []string{"list:1", "no certificate 77"}, "", 2},
		{"no such serial", []Entry{serial(7, "0x5", "5")}, nil, exit.NotFound, []string{"list:7", "0x5"}, "", 1},
		{"a record that fits", []Entry{{Line: 1, Input: "1", CertID: "1", Serial: "A", Issuer: "c=SE, o=demo, CN=demo issuing CA", Subject: "Anna, SE"}}, []ops.Item{{Key: "1", Line: 1}}, 0, nil, "", 1},
		{"records of another gateway, all told", []Entry{
			{Line: 1, Input: "1", CertID: "1", Serial: "0b"}, {Line: 2, Input: "2", CertID: "2", Issuer: dn}, {Line: 3, Input: "3", CertID: "3", Subject: "Anna, SE"}, {Line: 4, Input: "3", CertID: "3", Serial: "77"},
		}, nil, exit.Usage, []string{"list:1: certid 1: the list says serial 0b, the gateway 0a", "list:2: certid 2: the list says issuer", "list:3: certid 3: the list says subject", "another gateway"}, "", 4},
		{"a record that is not known", []Entry{{Line: 1, Input: "9", CertID: "9", Serial: "0b"}}, nil, exit.NotFound, []string{"list:1", "certid 9 is not known"}, "", 1},
		{"not known and contradicted: the list is wrong", []Entry{{Line: 1, Input: "9", CertID: "9", Serial: "0b"}, {Line: 2, Input: "1", CertID: "1", Serial: "0b"}}, nil, exit.Usage, []string{"list:1", "list:2"}, "", 2},
		{"trouble with the gateway comes first", []Entry{{Line: 1, Input: "1", CertID: "1", Serial: "0b"}, {Line: 2, Input: "4", CertID: "4", Serial: "99"}}, nil, exit.Refused, []string{"-15"}, "", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stderr bytes.Buffer
			var calls atomic.Int64
			client := gatewayWith(t, &calls, certs...)
			got, err := Resolve(t.Context(), newFactory(&stderr), client, "list", c.entries)
			if !reflect.DeepEqual(got, c.want) || exit.Of(err) != c.code {
				t.Errorf("%+v, exit %d: %v\nwant %+v, exit %d", got, exit.Of(err), err, c.want, c.code)
			}
			for _, part := range c.err {
				if text := fmt.Sprint(err, exit.HintOf(err)); !strings.Contains(text, part) {
					t.Errorf("%q is not in %s", part, text)
				}
			}
			if !strings.Contains(stderr.String(), c.notice) || (c.notice == "") != (stderr.Len() == 0) {
				t.Errorf("told %q, want %q", stderr.String(), c.notice)
			}
			if calls.Load() != c.calls {
				t.Errorf("%d calls, want %d", calls.Load(), c.calls)
			}
		})
	}
}

func TestSelection(t *testing.T) {
	for name, s := range map[string]Selection{"neither": {}, "both": {Args: []string{"1"}, From: "x"}, "no such file": {From: "/no/such/file"}} {
		if got, err := s.Entries(newFactory(&bytes.Buffer{})); exit.Of(err) != exit.Usage || got != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	f := newFactory(&bytes.Buffer{})
	f.Streams.In = strings.NewReader("7\n8\n")
	got, err := (&Selection{From: "-"}).Entries(f)
	if err != nil || !reflect.DeepEqual(got, []Entry{id(1, "7"), id(2, "8")}) {
		t.Errorf("%+v, %v", got, err)
	}
	f.Streams.In = strings.NewReader("x\n")
	if _, err := (&Selection{From: "-"}).Entries(f); err == nil || !strings.Contains(err.Error(), "standard input:1") {
		t.Error(err)
	}
	got, err = (&Selection{Args: []string{"12"}, As: AsSerial}).Entries(f)
	if err != nil || !reflect.DeepEqual(got, []Entry{serial(0, "12", "12")}) {
		t.Errorf("%+v, %v", got, err)
	}
}
