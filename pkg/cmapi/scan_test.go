package cmapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// FuzzScan: the quick reading finds what encoding/json finds.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : 1 , "b":[ ] } `, `{"a":"x\"},{\\","b":{"c":[1,{"d":"]"}]},"e":null}`, `{"\u0061":"\ud83d\ude42","\t":"é"}`, `{"a":-1.5e3,"b":true}`,
	} {
		f.Add([]byte(seed))
	}
	for _, seed := range []string{`{"a":01}`, `[1.]`, `[-]`, `["\u12g4"]`, "[\"\n\"]", `[1,]`, `{"a":1,}`, `nul`, `[1e+]`, `"\x"`, `[] []`, "\u2028", `["` + "\u2028\xff" + `"]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, want := valid(raw), json.Valid(raw); got != want {
			t.Errorf("%q: valid %v, want %v", raw, got, want)
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(raw, &want) != nil || want == nil {
			return
		}
		got := map[string]json.RawMessage{}
		for _, m := range splitObject(nil, []byte(strings.TrimSpace(string(raw)))) {
			got[m.name] = m.value
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("%q:\ngot  %q\nwant %q", raw, got, want)
		}
		for name, v := range want {
			var list []json.RawMessage
			if v[0] == '[' && json.Unmarshal(v, &list) == nil {
				if parts := splitList(v); fmt.Sprintf("%q", parts) != fmt.Sprintf("%q", list) {
					t.Errorf("%s: got %q, want %q", name, parts, list)
				}
			}
			quick, err := appendRaw(nil, v)
			slow, err2 := appendAny(nil, v)
			if string(quick) != string(slow) || (err == nil) != (err2 == nil) {
				t.Errorf("%s: written %q, want %q", name, quick, slow)
			}
			var s string
			if json.Unmarshal(v, &s) == nil && v[0] == '"' {
				quick, _ := appendString(nil, s)
				if slow, _ := appendAny(nil, s); string(quick) != string(slow) || unquote(v) != s {
					t.Errorf("%q: written %q, want %q", s, quick, slow)
				}
			}
		}
	})
}

// BenchmarkPage decodes and writes a page as a gateway answers it.
func BenchmarkPage(b *testing.B) {
	var list []string
	for i := range 500 {
		list = append(list, fmt.Sprintf(`{"certid":"%d","status":"active","validfrom":1710000000000,"validto":1810000000000,"certificateserialnumber":"40%030x",`+
			`"subject":"Demo User, Demo, 19700101-%04d, Finance, Northwind Energy, SE","issuer":"cn=Demo Issuing CA 1,o=Demo,c=SE","keyusage":["digitalSignature","clientAuth"],`+
			`"subjectType":"EE","extendedcertsearch":{"field1":"cost centre 100","field2":"E%08d"},"authorityKeyIdentifier":"%040x","subjectKeyIdentifier":"%040x"}`, i, i, i, i, i, i))
	}
	body := []byte(`{"error":0,"msg":"Ok","searchHits":500,"certificates":[` + strings.Join(list, ",") + `]}`)
	c, err := New(Config{BaseURL: "https://h"})
	if err != nil {
		b.Fatal(err)
	}
	r := opListCertificates.read(nil, acceptJSON)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		a, err := c.judge(r, &Answer{HTTP: 200, ContentType: "application/json", Body: body}, 0)
		if err != nil {
			b.Fatal(err)
		}
		page, err := readPage(r, a, (*Certificate).read)
		if err != nil || len(page.Certificates) != 500 {
			b.Fatal(err)
		}
		var buf []byte
		for i := range page.Certificates {
			if buf, err = page.Certificates[i].AppendJSON(buf[:0]); err != nil {
				b.Fatal(err)
			}
		}
	}
}
