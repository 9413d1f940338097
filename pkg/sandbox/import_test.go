package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

const importPath = "/certificates/import-pki-x509"

// foreignCA makes a CA that has the name of the sandbox's foreign one, and a
// function that makes its certificates, in Base64.
func (r *rig) foreignCA() func(cn string) string {
	r.t.Helper()
	r.openssl(nil, "req", "-x509", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "other.key", "-out", "other.pem", "-subj", "/C=SE/O=Elsewhere/CN=Foreign CA")
	r.openssl(nil, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "dev.key", "-out", "dev.csr", "-subj", "/CN=x")
	return func(cn string) string {
		r.t.Helper()
		key := string(r.openssl(nil, "pkey", "-in", "dev.key", "-pubout"))
		if err := os.WriteFile(r.path("dev.pub"), []byte(key), 0o600); err != nil {
			r.t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(r.openssl(nil, "x509", "-req", "-in", "dev.csr", "-CA", "other.pem", "-CAkey", "other.key",
			"-days", "30", "-subj", "/C=NO/O=Elsewhere/CN="+cn, "-force_pubkey", "dev.pub", "-outform", "DER"))
	}
}

func (r *rig) foreignLeaf() []byte {
	r.t.Helper()
	data, err := os.ReadFile(r.path("foreign.pem"))
	if err != nil {
		r.t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	return block.Bytes
}

func TestImport(t *testing.T) {
	for _, m := range modes {
		opts := m.opts
		r := newRig(t, opts)
		foreign, made := base64.StdEncoding.EncodeToString(r.foreignLeaf()), r.foreignCA()
		held, dead := made("Held"), made("Dead")
		revoked := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
		a := r.sendJSON("POST", importPath, object("procname", "Import Procedure", "importdata", []any{
			map[string]any{"certificate": breaks(foreign)},
			map[string]any{"certificate": held, "reason": 6},
			map[string]any{"certificate": dead, "reason": 1, "revocationtime": revoked.In(time.FixedZone("", 3600)).Format(time.RFC3339)},
		}))
		if a.status != http.StatusOK || string(a.body) != `{"error":0,"msg":"done"}`+"\n" {
			t.Errorf("%s: %d %s", m.name, a.status, a.body)
			continue
		}
		ids := r.last().Changed
		if len(ids) != 3 || r.state(ids[0]) != "active" {
			t.Errorf("%s: logged as %+v", m.name, r.last())
			continue
		}
		if got := r.get("/certificates/" + ids[0] + "/download").body; string(got) != string(r.foreignLeaf()) {
			t.Errorf("%s: another certificate comes back", m.name)
		}
		if n := countCertificates(r, kindPKCS7, r.get("/certificates/"+ids[0]+"/download", kindPKCS7).body); n != 1 {
			t.Errorf("%s: %d certificates in the chain", m.name, n)
		}
		if got := found(r.search("issuer", "cn=foreign ca, o=elsewhere, c=se")); got != strings.Join(ids, " ") {
			t.Errorf("%s: found %q", m.name, got)
		}
		if got := found(r.search("revocationTimeFrom", revoked.Add(-time.Second).Format(time.RFC3339), "revocationTimeTo", revoked.Add(time.Second).Format(time.RFC3339))); got != ids[2] {
			t.Errorf("%s: found by time of revocation: %q", m.name, got)
		}
		wantHeld, wantDead := "revoked 6", "revoked 1"
		if opts.Quirks == QuirksDeclared {
			wantHeld, wantDead = "revoked Certificate Hold", "revoked Key Compromise"
		}
		if r.state(ids[1]) != wantHeld || r.state(ids[2]) != wantDead {
			t.Errorf("%s: %q, %q", m.name, r.state(ids[1]), r.state(ids[2]))
		}
		for path, id := range map[string]string{revoke: ids[0], reinstate: ids[1]} {
			if a := r.do(path, "certid", id, "reason", "4"); a.code() != codeOK {
				t.Errorf("%s: %s: %s", m.name, path, a.body)
			}
		}
	}
}

func TestImportErrors(t *testing.T) {
	r := newRig(t, Options{})
	foreign, made := base64.StdEncoding.EncodeToString(r.foreignLeaf()), r.foreignCA()
	own := base64.StdEncoding.EncodeToString(r.get("/certificates/5/download").body)
	second := made("Second")
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	entries := []any{
		map[string]any{"certificate": foreign},
		map[string]any{"certificate": own},
		map[string]any{"certificate": foreign},
		map[string]any{"reason": 1},
		map[string]any{"certificate": "%"},
		map[string]any{"certificate": "AAAA"},
		map[string]any{"certificate": second, "reason": 2},
		map[string]any{"certificate": second, "reason": "1"},
		map[string]any{"certificate": second, "revocationtime": tomorrow},
		map[string]any{"certificate": second, "reason": 1, "revocationtime": tomorrow},
		map[string]any{"certificate": second, "reason": 1, "revocationtime": 1700000000000},
		map[string]any{"certificate": second, "certid": "5"},
		map[string]any{"certificate": ""},
		map[string]any{"certificate": second},
	}
	a := r.sendJSON("POST", importPath, object("importdata", entries))
	if got, want := importCodes(a), "1=-14 2=-14 3=-7 4=-8 5=-14 6=-14 7=-14 8=-14 9=-14 10=-14 11=-14 12=-14"; got != want || a.status != http.StatusInternalServerError || a.code() != codeGeneral {
		t.Errorf("%d %s, want %s", a.status, a.body, want)
	}
	if rec := r.last(); len(rec.Changed) != 2 || len(found(r.search("subjectOrganisationName", "Elsewhere"))) == 0 {
		t.Errorf("logged as %+v", rec)
	}
	if a := r.sendJSON("POST", importPath, object("importdata", entries[:1])); importCodes(a) != "0=-14" {
		t.Errorf("again: %s", a.body)
	}
	for name, body := range map[string]string{
		"-7 nothing":           `{}`,
		"-14 not a list":       `{"importdata":"x"}`,
		"-14 an empty list":    `{"importdata":[]}`,
		"-14 null":             `{"importdata":null}`,
		"-14 no objects":       `{"importdata":["x"]}`,
		"-14 twice":            `{"importdata":[{"certificate":"AA==","certificate":"AA=="}]}`,
		"-14 other procedure":  object("procname", "PKCS#10 Procedure", "importdata", entries[:1]),
		"-14 id of procedure":  object("procname", "p-import", "importdata", entries[:1]),
		"-14 an unknown field": object("procid", "p-import", "importdata", entries[:1]),
	} {
		a := r.sendJSON("POST", importPath, body)
		if code, _, _ := strings.Cut(name, " "); a.status != http.StatusInternalServerError || fmt.Sprint(a.code()) != code || len(r.last().Changed) != 0 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// importCodes lists errors[] as arrayindex=code, and the limit where there is
// one.
func importCodes(a reply) string {
	var m struct {
		Errors []struct {
			Index  *int `json:"arrayindex"`
			Code   int  `json:"errorcode"`
			Limit  int  `json:"limit"`
			CertID *string
		} `json:"errors"`
	}
	_ = json.Unmarshal(a.body, &m)
	var out []string
	for _, e := range m.Errors {
		if e.Index == nil || e.CertID != nil {
			return "no index"
		}
		one := fmt.Sprintf("%d=%d", *e.Index, e.Code)
		if e.Limit != 0 {
			one += fmt.Sprintf("/%d", e.Limit)
		}
		out = append(out, one)
	}
	return strings.Join(out, " ")
}

// Entries up to the limit are carried out, those past it name it.
func TestImportLimit(t *testing.T) {
	r := newRig(t, Options{})
	made := r.foreignCA()
	first := made("Limit 0")
	var entries []any
	for range maxImport + 2 {
		entries = append(entries, map[string]any{"certificate": first})
	}
	entries[maxImport-1] = map[string]any{"certificate": made("Limit 1")}
	a := r.sendJSON("POST", importPath, object("importdata", entries))
	want := []string{}
	for i := 1; i < maxImport-1; i++ {
		want = append(want, fmt.Sprintf("%d=-14", i))
	}
	want = append(want, "50=-40/50", "51=-40/50")
	if got := importCodes(a); got != strings.Join(want, " ") || a.code() != codeGeneral {
		t.Errorf("%s, want %v", got, want)
	}
	if rec := r.last(); len(rec.Changed) != 2 {
		t.Errorf("logged as %+v", rec)
	}
}

// Each entry is signed: another certificate, reason or time is refused.
func TestImportSignature(t *testing.T) {
	r := newRig(t, Options{})
	made := r.foreignCA()
	one, two := made("One"), made("Two")
	body := object("importdata", []any{map[string]any{"certificate": one, "reason": 1, "revocationtime": "2026-01-02T03:04:05Z"}, map[string]any{"certificate": two}})
	data, _ := r.must("officer", r.request("POST", importPath, jsonType, body)).field("dataToSign").(string)
	tbs, err := base64.StdEncoding.DecodeString(data)
	if err != nil || !strings.Contains(string(tbs), "importdata[0].reason") {
		t.Fatalf("%v %q", err, tbs)
	}
	sig := r.cms("officer", tbs)
	for name, changed := range map[string]string{
		"another certificate":  strings.Replace(body, two, made("Three"), 1),
		"another reason":       strings.Replace(body, `"reason":1`, `"reason":4`, 1),
		"another time":         strings.Replace(body, "2026-01-02", "2026-01-03", 1),
		"no reason":            strings.Replace(body, `,"reason":1,"revocationtime":"2026-01-02T03:04:05Z"`, "", 1),
		"one certificate less": strings.Replace(body, `,{"certificate":"`+two+`"}`, "", 1),
		"a procedure besides":  strings.Replace(body, `{"importdata"`, `{"procname":"Import Procedure","importdata"`, 1),
	} {
		if changed == body {
			t.Fatalf("%s: not changed", name)
		}
		if a := r.must("officer", r.request("POST", importPath, jsonType, signedBody(changed, sig))); a.code() != codeBadSignature {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	if a := r.must("officer", r.request("POST", importPath, jsonType, signedBody(body, sig))); a.code() != codeOK {
		t.Errorf("%s", a.body)
	}
}
