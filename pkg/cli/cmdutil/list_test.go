package cmdutil

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

func newCertificate(t testing.TB, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Demo"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pemOf(certs ...*x509.Certificate) string {
	var b strings.Builder
	for _, c := range certs {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return b.String()
}

// id and serial are entries as a plain list gives them.
func id(line int, s string) Entry { return Entry{Line: line, Input: s, CertID: s} }
func serial(line int, input, hex string) Entry {
	return Entry{Line: line, Input: input, Serial: pki.Serial(hex)}
}

// parseList reads a list whole, as it is checked before anything is sent. The
// list that entries are of is left out: it is the same for all.
func parseList(text string, as ListAs) ([]Entry, error) {
	ls := &Lists{name: "list", lists: []*List{{name: "list", as: as, open: func() (io.ReadSeekCloser, error) {
		return notClosed{strings.NewReader(text)}, nil
	}}}}
	var entries []Entry
	var s Selection
	if _, err := s.check(newFactory(&bytes.Buffer{}), ls, &Picked{}); err != nil {
		return nil, err
	}
	err := ls.Each(func(e Entry) error {
		if e.List != "list" {
			return fmt.Errorf("%+v is of another list", e)
		}
		e.List = ""
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

func TestParseList(t *testing.T) {
	for _, c := range []struct {
		name string
		text string
		as   ListAs
		want []Entry
	}{
		{"certids", "10003\n10004\n", "", []Entry{id(1, "10003"), id(2, "10004")}},
		{"no end of the last line", "10003\n10004", "", []Entry{id(1, "10003"), id(2, "10004")}},
		{"CRLF", "10003\r\n10004\r\n", "", []Entry{id(1, "10003"), id(2, "10004")}},
		{"byte order mark", "\xef\xbb\xbf10003\n", "", []Entry{id(1, "10003")}},
		{"byte order mark and CRLF and CSV", "\xef\xbb\xbfcertid\r\n10003\r\n", "", []Entry{id(2, "10003")}},
		{"comments, blank lines, blanks", "# leaked\n\n  10003 \t\n\t\n10004 # Anna's\n10005\t# Bo's\n#10006\n", "", []Entry{id(3, "10003"), id(5, "10004"), id(6, "10005")}},
		{"repeats stay: they are counted later", "7\n7\n", "", []Entry{id(1, "7"), id(2, "7")}},
		{"a leading zero is that of a serial", "007\n", AsSerial, []Entry{serial(1, "007", "007")}},
		{"serials with 0x", "0x12AB\n0X00ff\n", "", []Entry{serial(1, "0x12AB", "12ab"), serial(2, "0X00ff", "00ff")}},
		{"serials all digits with 0x", "0x1234\n", "", []Entry{serial(1, "0x1234", "1234")}},
		{"serials in decimal", "dec:4779\n", "", []Entry{serial(1, "dec:4779", "12ab")}},
		{"serials with colons", "00:12:ab\n1:02\n", "", []Entry{serial(1, "00:12:ab", "0012ab"), serial(2, "1:02", "102")}},
		{"digits as serials", "1234\n00ff\n0x9\n", AsSerial, []Entry{serial(1, "1234", "1234"), serial(2, "00ff", "00ff"), serial(3, "0x9", "9")}},
		{"hex in groups as serials", "12 34 ab\n", AsSerial, []Entry{serial(1, "12 34 ab", "1234ab")}},
		{"digits as certids", "1234\n", AsID, []Entry{id(1, "1234")}},

		{"CSV by certid", "certid,subject\n10003,\"Demo, User\"\n", "", []Entry{{Line: 2, Input: "10003", CertID: "10003", Subject: "Demo, User"}}},
		{"CSV by serial, digits are hex there", "Serial\n0012\n12:AB\n", "", []Entry{serial(2, "0012", "0012"), serial(3, "12:AB", "12ab")}},
		{"CSV with all columns, in any order and case", "Issuer;\"CertID\";CertificateSerialNumber;other;SUBJECT\ncn=x;7;0A;;s\n", "",
			[]Entry{{Line: 2, Input: "7", CertID: "7", Serial: "0a", Issuer: "cn=x", Subject: "s"}}},
		{"CSV with tabs and an empty column", "certid\tserial\tissuer\n10003\t\tcn=x\n", "", []Entry{{Line: 2, Input: "10003", CertID: "10003", Issuer: "cn=x"}}},
		{"CSV with comments and blank lines", "# export\n\ncertid,status,reason\n\n# x\n10003,active,\n", "", []Entry{{Line: 6, Input: "10003", CertID: "10003", State: "active"}}},
		{"CSV with a line end in a field", "certid,subject\n1,\"a\nb\"\n2,c\n", "", []Entry{{Line: 2, Input: "1", CertID: "1", Subject: "a\nb"}, {Line: 4, Input: "2", CertID: "2", Subject: "c"}}},
		{"CSV and --as: the header counts", "serial\n12\n", AsID, []Entry{serial(2, "12", "12")}},

		{"JSON lines", `{"certid":"10003","certificateserialnumber":"0A1B","issuer":"cn=x","subject":"s","status":"active","new":1}` + "\n\n" + `{"certid":10004}` + "\r\n", "",
			[]Entry{{Line: 1, Input: "10003", CertID: "10003", Serial: "0a1b", Issuer: "cn=x", Subject: "s", State: "active"}, id(3, "10004")}},
		{"JSON lines by serial", `{"certificateserialnumber":"0a"}`, "", []Entry{serial(1, "0a", "0a")}},
		{"JSON lines with PEM in them", `{"certid":"7","pem":"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"}`, "", []Entry{id(1, "7")}},
		{"records of a write", `{"certid":"7","outcome":"failed","line":3,"input":"7","error":{"code":907,"message":"x"}}`, "", []Entry{id(1, "7")}},
		{"comments before JSON lines", "# leaked\n" + `{"certid":"7"}`, "", []Entry{id(2, "7")}},
		{"a JSON array", `[{"certid":"1"},{"certid":"2","subject":"s"}]`, "", []Entry{id(1, "1"), {Line: 1, Input: "2", CertID: "2", Subject: "s"}}},
		{"a JSON array over lines", "\xef\xbb\xbf[\r\n  {\r\n    \"certid\": \"1\"\r\n  },\r\n\r\n  {\"certid\": \"2\"}\r\n]\r\n", "", []Entry{id(2, "1"), id(6, "2")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseList(c.text, c.as)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestParseCertificateList(t *testing.T) {
	a, b := newCertificate(t, 0x12ab), newCertificate(t, 7)
	want := []Entry{{Line: 1, Input: "certificate 12ab", Certificate: a}, {Line: 2, Input: "certificate 07", Certificate: b}}
	for name, data := range map[string]string{
		"PEM": pemOf(a, b), "PEM with text and CRLF": "subject=x\r\n" + strings.ReplaceAll(pemOf(a, b), "\n", "\r\n"),
	} {
		got, err := parseList(data, "")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	got, err := parseList(string(a.Raw), "")
	if err != nil || !reflect.DeepEqual(got, want[:1]) {
		t.Errorf("DER: %+v, %v", got, err)
	}
}

// utf16Text is text as some editors save it.
func utf16Text(s string) string {
	var b bytes.Buffer
	b.WriteString("\xff\xfe")
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

// TestParseListRefuses: a list with one wrong line is refused as a whole, all
// wrong lines are told at once with their numbers, and nothing is returned.
func TestParseListRefuses(t *testing.T) {
	var many strings.Builder
	for range 30 {
		many.WriteString("what\n")
	}
	half, _ := json.Marshal(map[string]string{"certid": "7"})
	for _, c := range []struct {
		name string
		text string
		as   ListAs
		want []string // parts of the message or hint
		not  string
	}{
		{"empty", "", "", []string{"list: the list is empty"}, ""},
		{"blank lines and comments alone", "\n# x\n \r\n", "", []string{"the list is empty"}, ""},
		{"a header alone", "certid\n", "", []string{"the list is empty"}, ""},
		{"an empty array", "[]", "", []string{"the list is empty"}, ""},
		{"digits and hex mixed", "10003\n12ab\n", "", []string{"line 1", "line 2", "--as id or --as serial"}, ""},
		{"hex alone", "12ab\n34cd\n", "", []string{"list:1", "2 lines", "--as"}, ""},
		{"certids and serials mixed", "10003\n0x12\n", "", []string{"line 1", "line 2", "of one kind"}, ""},
		{"hex with --as id", "10003\n12ab\n0x7\n", AsID, []string{`list:2: "12ab" is no certid`, `list:3: "0x7" is no certid`}, "list:1"},
		{"no hex with --as serial", "12\nxyz\n", AsSerial, []string{"list:2", "xyz"}, "list:1"},
		{"words", "10003\nAnna\n10004\nBo\n", "", []string{`list:2: "Anna"`, `list:4: "Bo"`}, "list:1"},
		{"two on a line", "10003 10004\n", "", []string{"list:1", "one certificate"}, ""},
		{"a certid and a word of hex", "10003 abc\n", "", []string{"list:1", "one certificate"}, ""},
		{"commas without a header", "10003,10004\n", "", []string{"list:1"}, ""},
		{"tsv without a header", "10003\t0a1b\tactive\n", "", []string{"list:1"}, ""},
		{"a negative number", "-7\n", "", []string{"list:1"}, ""},
		{"digits of another script", "١٢٣\n", "", []string{"list:1"}, ""},
		{"more wrong lines than are shown", many.String(), "", []string{"list:20", "and 10 more lines"}, "list:21"},
		{"a long line is cut", strings.Repeat("x", 5000), "", []string{"xxx..."}, strings.Repeat("x", 100)},
		{"UTF-16", utf16Text("10003\n"), "", []string{"UTF-16", "UTF-8"}, ""},
		{"bytes", "\x00\x01\x02", "", []string{"no text"}, ""},
		{"a zero byte behind lines that are right", "10001\n10002\n\x0010003\n10004\n", "", []string{"no text: byte 0 at offset 12"}, "UTF-16"},
		{"a zero byte in a row", "certid,subject\n10001,a\n\x0010002,b\n", "", []string{"no text: byte 0 at offset 23"}, ""},
		{"a zero byte in a record", string(half) + "\n\x00" + string(half), "", []string{"no text: byte 0"}, ""},
		{"compressed", "\x1f\x8b\x08\x00\x00", "", []string{"no text", "zcat"}, "UTF-16"},
		{"digits that begin with 0", "010001\n", "", []string{"list:1", "do not begin with 0"}, ""},
		{"digits that begin with 0, as certids", "1\n010001\n", AsID, []string{"list:2", "do not begin with 0"}, ""},
		{"bad colons", "12:3:45\n", "", []string{"list:1"}, ""},
		{"a serial far too long", "0x" + strings.Repeat("1", 200), "", []string{"list:1"}, ""},

		{"CSV: wrong values, all told", "certid,serial\nx,\n,\n7,zz\n8,0a\n", "", []string{`list:2: certid "x"`, "list:3: ", "list:4: "}, "list:5"},
		{"CSV: rows of other lengths, all told", "certid,subject\n1,a,b\n2,c\n3\n", "", []string{"list:2: 3 columns, the header has 2", "list:4: 1 columns"}, "list:3"},
		{"CSV: a quote", "certid,subject\n1,\"a\n", "", []string{"list", "same number of columns"}, ""},

		{"JSON lines: damaged ones, all told", string(half) + "\n{\n7\n{}\n" + `{"certid":"x"}` + "\n", "", []string{"list:2", "list:3", "list:4: the record has neither", "list:5: certid"}, "list:1"},
		{"JSON: a serial that is none", `{"certid":"7","certificateserialnumber":"zz"}`, "", []string{"list:1", "zz"}, ""},
		{"JSON array: not closed", "[\n" + string(half), "", []string{"list:2", "does not end"}, ""},
		{"JSON array: of something else", "[\n1,\n2]", "", []string{"list:2"}, ""},
		{"JSON array: more behind it", "[" + string(half) + "]\n7", "", []string{"list:2", "more data"}, ""},
		{"JSON array: wrong records, all told", "[\n{\"certid\":\"x\"},\n{},\n{\"certid\":\"1\"}]", "", []string{"list:2", "list:3"}, "list:4"},
		{"a PEM key", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", "", []string{"list"}, ""},
		{"a PEM certificate cut short", "-----BEGIN CERTIFICATE-----\nMII", "", []string{"list"}, ""},
		{"DER that is none", "\x30\x82\x01\x00abc", "", []string{"list"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseList(c.text, c.as)
			if err == nil || got != nil || exit.Of(err) != exit.Usage {
				t.Fatalf("%+v, exit %d, %v", got, exit.Of(err), err)
			}
			text := err.Error() + "\n" + exit.HintOf(err)
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in\n%s", want, text)
				}
			}
			if c.not != "" && strings.Contains(text, c.not) {
				t.Errorf("%q is in\n%s", c.not, text)
			}
		})
	}
}

func TestParseArgs(t *testing.T) {
	got, err := ParseArgs([]string{"10003", " 0x12AB ", "dec:7", "0a:1b"}, AsUnset)
	want := []Entry{{Input: "10003", CertID: "10003"}, {Input: "0x12AB", Serial: "12ab"}, {Input: "dec:7", Serial: "07"}, {Input: "0a:1b", Serial: "0a1b"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, arg := range []string{"", "12ab", "x", "1 2", "--", "10003,10004", "0x"} {
		if got, err := ParseArgs([]string{"1", arg}, AsUnset); exit.Of(err) != exit.Usage || got != nil || exit.HintOf(err) == "" {
			t.Errorf("%q: %+v, %v", arg, got, err)
		}
	}
}

// TestLongLists: time grows with the length of a list and not faster.
func TestLongLists(t *testing.T) {
	const n = 5_000
	var plain, lines, array, csv strings.Builder
	array.WriteString("[")
	csv.WriteString("certid,subject\n")
	for i := range n {
		fmt.Fprintln(&plain, i)
		fmt.Fprintf(&lines, "{\"certid\":\"%d\",\"subject\":\"Demo User\"}\n", i)
		fmt.Fprintf(&csv, "%d,Demo User\n", i)
		if i > 0 {
			array.WriteString(",")
		}
		fmt.Fprintf(&array, "\n  {\n    \"certid\": \"%d\",\n    \"subject\": \"Demo User\"\n  }", i)
	}
	array.WriteString("\n]\n")
	for name, text := range map[string]string{"plain": plain.String(), "JSON lines": lines.String(), "JSON array": array.String(), "CSV": csv.String()} {
		got, err := parseList(text, "")
		if err != nil || len(got) != n || got[n-1].CertID != fmt.Sprint(n-1) {
			t.Errorf("%s: %d entries, %v", name, len(got), err)
		}
	}
	if got, err := parseList(array.String(), ""); err != nil || got[n-1].Line != 2+4*(n-1) {
		t.Errorf("the last record is on line %d, %v", got[n-1].Line, err)
	}
}

// FuzzParseList: whatever a list holds, each entry names exactly one
// certificate in one way, in the order of the lines, or all is refused.
func FuzzParseList(f *testing.F) {
	for _, s := range []string{
		"10003\n0x12\n", "certid;serial\n1;\n", `{"certid":"1"}`, "[{}]", "\xef\xbb\xbf# x\r\n7 # y\n", "-----BEGIN CERTIFICATE-----\n", "\x30\x82\x00", "12 34 ab",
		"serial\tcertid\n\t7\n",
	} {
		for _, as := range []string{"", "id", "serial"} {
			f.Add([]byte(s), as)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, as string) {
		if as != "id" && as != "serial" {
			as = ""
		}
		entries, err := parseList(string(data), ListAs(as))
		if (err == nil) == (len(entries) == 0) {
			t.Fatalf("%d entries and error %v", len(entries), err)
		}
		if err != nil {
			if exit.Of(err) != exit.Usage || err.Error() == "" {
				t.Errorf("exit %d: %v", exit.Of(err), err)
			}
			return
		}
		last := 0
		for _, e := range entries {
			if e.CertID == "" && e.Serial == "" && e.Certificate == nil {
				t.Errorf("%+v names nothing", e)
			}
			if strings.Trim(e.CertID, "0123456789") != "" || strings.Trim(e.Serial.String(), "0123456789abcdef-") != "" {
				t.Errorf("%+v", e)
			}
			if e.Line < last {
				t.Errorf("line %d after line %d", e.Line, last)
			}
			last = e.Line
		}
	})
}

// TestWhy: behind the name of what is left out stand words, and no other names.
func TestWhy(t *testing.T) {
	for _, c := range []struct {
		line    string
		as      ListAs
		id, why string // empty: refused
	}{
		{line: "10003", id: "10003"},
		{line: "10003 payroll, until May", id: "10003", why: "payroll, until May"},
		{line: "10003,payroll", id: "10003", why: "payroll"},
		{line: "10003; added by e2e tests", id: "10003", why: "added by e2e tests"},
		{line: "10003 2026-11-26: asked for", id: "10003", why: "2026-11-26: asked for"},
		{line: "10003,10004,10005"},
		{line: "10003 10004 10005"},
		{line: "10003;10004 and one"},
		{line: "10003 0x1f"},
		{line: "10003 | 10004"},
		{line: "10003 (10004)"},
		{line: "10003 and 10004"},
		{line: `10003 "10004"`},
		{line: "10003 - the payroll", id: "10003", why: "- the payroll"},
		{line: "10003 and its twin", id: "10003", why: "and its twin"},
		{line: "10003 dec:17 too"},
		{line: "0a:1b\t0a:1c", as: AsSerial},
		{line: "0a1b\t0a1c", as: AsSerial},
	} {
		l := &List{name: "list", as: c.as, whys: true, open: func() (io.ReadSeekCloser, error) { return notClosed{strings.NewReader(c.line + "\n")}, nil }}
		var got []Entry
		r := &reading{emit: func(e Entry) error { got = append(got, e); return nil }}
		if err := l.read(r); err != nil {
			t.Fatal(err)
		}
		switch {
		case c.id == "" && (len(got) != 0 || r.bad.n != 1):
			t.Errorf("%q: %+v, %d wrong", c.line, got, r.bad.n)
		case c.id != "" && (len(got) != 1 || got[0].CertID != c.id || got[0].Why != c.why || r.bad.n != 0):
			t.Errorf("%q: %+v, %v", c.line, got, r.bad.lines)
		}
	}
}
