package cmdutil

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/bulk"
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
			for i := range c.entries {
				if c.entries[i].Line > 0 {
					c.entries[i].List = "list"
				}
			}
			got, err := Resolve(t.Context(), newFactory(&stderr), client, c.entries)
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

// plan keeps what it is given.
type plan struct {
	items    []bulk.Item
	facts    []bulk.Facts
	excluded []string
}

func (p *plan) Add(it bulk.Item, facts bulk.Facts) (bool, error) {
	if p.Has(it.Key) {
		return false, nil
	}
	p.items, p.facts = append(p.items, it), append(p.facts, facts)
	return true, nil
}

func (p *plan) Has(key string) bool {
	return slices.ContainsFunc(p.items, func(it bulk.Item) bool { return it.Key == key })
}

func (p *plan) Exclude(it bulk.Item, why string) error {
	p.excluded = append(p.excluded, it.Key+" "+why)
	return nil
}

// TestFill: what is selected goes into the plan in its order, with the reason
// of each, and what is wrong with it is told before any call.
func TestFill(t *testing.T) {
	none := Limits{Max: -1, Expect: -1}
	var many strings.Builder
	for i := range 101 {
		fmt.Fprintln(&many, i)
	}
	for _, c := range []struct {
		name   string
		sel    Selection
		stdin  string
		files  map[string]string
		limits Limits
		want   string // certid:line:input:group
		facts  string
		out    string
		code   exit.Code
		err    string
		told   string
	}{
		{name: "nothing", code: exit.Usage, err: "no certificate is named"},
		{name: "two ways", sel: Selection{Args: []string{"1"}, From: "x"}, code: exit.Usage, err: "both arguments and --from are given"},
		{name: "three ways", sel: Selection{From: "x", Search: "--cn x", LeakedKey: "y"}, code: exit.Usage, err: "both --from and --search and --leaked-key"},
		{name: "no such file", sel: Selection{From: "/no/such/file"}, code: exit.Usage, err: "open /no/such/file: no such file"},
		{name: "arguments", sel: Selection{Args: []string{"7", "8", "7"}, Reason: "superseded", Reasons: true}, want: "7:0::superseded 8:0::superseded", told: "1 repeat left out"},
		{name: "no reason", sel: Selection{Args: []string{"7"}, Reasons: true}, code: exit.Usage, err: "no reason is given"},
		{name: "standard input", sel: Selection{From: "-"}, stdin: "7\n8 # x\n", want: "7:1:: 8:2::"},
		{name: "a wrong line", sel: Selection{From: "-"}, stdin: "7\nx\n", code: exit.Usage, err: "standard input:2: "},
		{name: "a wrong line left out", sel: Selection{From: "-", SkipInvalid: true}, stdin: "7\nx\n8\n", want: "7:1:: 8:3::", told: "1 wrong line left out:\nnote: standard input:2: "},
		{name: "nothing left", sel: Selection{From: "-", SkipInvalid: true}, stdin: "x\ny\n", code: exit.Usage, err: "no line is left"},
		{name: "kinds mixed cannot be left out", sel: Selection{From: "-", SkipInvalid: true}, stdin: "7\nab\n", code: exit.Usage, err: "are mixed"},
		{name: "a hundred through a pipe", sel: Selection{From: "-"}, stdin: many.String(), code: exit.Usage, err: "more than 100 items come through standard input"},
		{name: "repeats do not count", sel: Selection{From: "-"}, stdin: strings.Repeat("7\n", 300), want: "7:1::", told: "299 repeats"},
		{name: "a reason for each", sel: Selection{From: "-", Reasons: true}, stdin: "certid,reason\n7,keyCompromise\n8,4\n", want: "7:2::keyCompromise 8:3::superseded"},
		{name: "a reason for some", sel: Selection{From: "-", Reasons: true, Reason: "superseded"}, stdin: "certid,reason\n7,keyCompromise\n8,\n", want: "7:2::keyCompromise 8:3::superseded"},
		{name: "a reason missing", sel: Selection{From: "-", Reasons: true}, stdin: "certid,reason\n7,1\n8,\n9,\n", code: exit.Usage, err: "standard input:3: no reason is given"},
		{name: "a reason that is none", sel: Selection{From: "-", Reasons: true, Reason: "superseded"}, stdin: "certid,reason\n7,lost\n8,2\n", code: exit.Usage, err: "standard input:2: unknown reason \"lost\"\nstandard input:3: reason cACompromise (2) is for searches only"},
		{name: "reasons of the past", sel: Selection{From: "-", Reasons: true, Reason: "superseded"}, stdin: "certid,status,reason\n7,revoked,keyCompromise\n8,revoked,certificateHold\n9,active,\n",
			want: "7:2::superseded 8:3::superseded 9:4::superseded", facts: "revoked|| on hold|| active||"},
		{name: "reasons of the past are no wish", sel: Selection{From: "-", Reasons: true}, stdin: "certid,reason,revocationtime\n7,keyCompromise,2026-01-01T00:00:00Z\n", code: exit.Usage, err: "no reason is given"},
		{name: "reasons in records", sel: Selection{From: "-", Reasons: true, Reason: "superseded"}, stdin: `{"certid":"7","reason":"keyCompromise"}` + "\n" + `{"certid":"8","status":"revoked","reason":"keyCompromise"}`,
			want: "7:1::keyCompromise 8:2::superseded"},
		{name: "reasons where there is one alone", sel: Selection{From: "-", Reason: "certificateHold"}, stdin: "certid,reason\n7,keyCompromise\n", want: "7:2::certificateHold", told: "the list gives reasons, which this has no use for"},
		{name: "what a list tells", sel: Selection{From: "-"}, stdin: "certid;organisation;status\n7;Demo;active\n", want: "7:2::", facts: "active||Demo"},
		{name: "exclusions", sel: Selection{Args: []string{"7", "8", "9", "8"}, Exclude: []string{"out"}}, files: map[string]string{"out": "8 the payroll\n9\n"},
			want: "7:0::", out: "8 the payroll|9 ", told: "1 repeat left out"},
		{name: "exclusions as CSV", sel: Selection{Args: []string{"7", "8"}, Exclude: []string{"out"}}, files: map[string]string{"out": "why,certid\n\"a, b\",8\n"}, want: "7:0::", out: "8 a, b"},
		{name: "exclusions as records", sel: Selection{Args: []string{"7", "8"}, Exclude: []string{"out"}}, files: map[string]string{"out": `{"certid":"8","why":"x"}`}, want: "7:0::", out: "8 x"},
		{name: "an exclusion of nothing", sel: Selection{Args: []string{"7"}, Exclude: []string{"out"}}, files: map[string]string{"out": "70\n"}, want: "7:0::", told: "1 exclusion without effect, since not selected:\nnote: out:1: 70"},
		{name: "a wrong exclusion", sel: Selection{From: "in", SkipInvalid: true, Exclude: []string{"out"}}, files: map[string]string{"in": "7\nx", "out": "7\nx\n"}, code: exit.Usage, err: "out:2: ", told: "1 wrong line left out"},
		{name: "no exclusions", sel: Selection{Args: []string{"7"}, Exclude: []string{"out"}}, files: map[string]string{"out": "# none\n"}, code: exit.Usage, err: "out: the list is empty"},
		{name: "both from standard input", sel: Selection{From: "-", Exclude: []string{"-"}}, code: exit.Usage, err: "cannot both"},
		{name: "an unknown filter", sel: Selection{Search: "--cn x --limit 3"}, code: exit.Usage, err: "--search: unknown flag: --limit"},
		{name: "a word that is no filter", sel: Selection{Search: "--cn a b"}, code: exit.Usage, err: "--search: \"b\" is no filter"},
		{name: "blanks for filters", sel: Selection{Search: "  "}, code: exit.Usage, err: "no filter is given"},
		{name: "a quote that does not end", sel: Selection{Search: "--cn 'a"}, code: exit.Usage, err: "--search: "},
		{name: "a wrong filter", sel: Selection{Search: "--revoked-after yesterday"}, code: exit.Usage, err: "--search: --revoked-after: "},
		{name: "no key", sel: Selection{LeakedKey: "key"}, files: map[string]string{"key": "x"}, code: exit.Usage, err: "key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for name, text := range c.files {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var stderr bytes.Buffer
			f := newFactory(&stderr)
			f.Now = time.Now
			f.Streams.In = strings.NewReader(c.stdin)
			if c.limits == (Limits{}) {
				c.limits = none
			}
			var into plan
			sel, err := c.sel.Open(f)
			var picked *Picked
			if err == nil {
				defer sel.Close()
				picked, err = sel.Fill(t.Context(), f, c.limits, &into)
			}
			if exit.Of(err) != c.code || err != nil && (picked != nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("exit %d: %v, want %d: %s", exit.Of(err), err, c.code, c.err)
			}
			if !strings.Contains(stderr.String(), c.told) || (c.told == "") != (stderr.Len() == 0) {
				t.Errorf("told %q, want %q", stderr.String(), c.told)
			}
			if err != nil {
				return
			}
			var got, facts []string
			for i, it := range into.items {
				got = append(got, fmt.Sprintf("%s:%d:%s:%s", it.Key, it.Line, it.Input, it.Group))
				facts = append(facts, into.facts[i].State+"|"+into.facts[i].Issuer+"|"+into.facts[i].Organisation)
			}
			if strings.Join(got, " ") != c.want || c.facts != "" && strings.Join(facts, " ") != c.facts || strings.Join(into.excluded, "|") != c.out {
				t.Errorf("got %q %q, excluded %q", got, facts, into.excluded)
			}
			if picked.Items != len(into.items) {
				t.Errorf("%+v", picked)
			}
		})
	}
}
