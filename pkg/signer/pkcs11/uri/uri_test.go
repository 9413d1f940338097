package uri_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11/uri"
)

func p[T any](v T) *T { return &v }

func TestIs(t *testing.T) {
	for ref, want := range map[string]bool{
		"pkcs11:token=x": true, "PKCS11:": true, "Pkcs11:id=%01": true,
		"": false, "pkcs11": false, "./pkcs11:x": false, "officer.p12": false, "p11:x": false,
	} {
		if got := uri.Is(ref); got != want {
			t.Errorf("Is(%q) = %v", ref, got)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want uri.URI
	}{
		{"pkcs11:", uri.URI{}},
		{"PKCS11:token=x", uri.URI{Token: p("x")}},
		{"pkcs11:token=Officer%20card;id=%02", uri.URI{Token: p("Officer card"), ID: []byte{2}}},
		{"pkcs11:token=Officer card;", uri.URI{Token: p("Officer card")}},
		{"pkcs11:token=", uri.URI{Token: p("")}},
		{"pkcs11:object=a%3bb%26c%3Fd%25", uri.URI{Object: p("a;b&c?d%")}},
		{"pkcs11:object=%C3%85sa", uri.URI{Object: p("Åsa")}},
		{"pkcs11:object=Åsa", uri.URI{Object: p("Åsa")}},
		{"pkcs11:model=SW%20%00%00TPM", uri.URI{Model: p("SW \x00\x00TPM")}},
		{"pkcs11:id=%69%95%3e%5c%f4%bd%ec%91", uri.URI{ID: []byte{0x69, 0x95, 0x3e, 0x5c, 0xf4, 0xbd, 0xec, 0x91}}},
		{"pkcs11:id=abc", uri.URI{ID: []byte("abc")}},
		{"pkcs11:id=", uri.URI{ID: []byte{}}},
		{"pkcs11:slot-id=18446744073709551615", uri.URI{SlotID: p(uint64(1<<64 - 1))}},
		{"pkcs11:type=private", uri.URI{Type: p("private")}},
		{"pkcs11:object-type=cert", uri.URI{Type: p("cert")}},
		{"pkcs11:library-version=3", uri.URI{LibraryVersion: &uri.Version{Major: 3}}},
		{"pkcs11:library-version=3.11", uri.URI{LibraryVersion: &uri.Version{Major: 3, Minor: 11}}},
		{"pkcs11:manufacturer=Snake%20Oil,%20Inc.;serial=1/2;slot-description=d;slot-manufacturer=m;library-description=l;library-manufacturer=n",
			uri.URI{Manufacturer: p("Snake Oil, Inc."), Serial: p("1/2"), SlotDescription: p("d"), SlotManufacturer: p("m"), LibraryDescription: p("l"), LibraryManufacturer: p("n")}},
		{"pkcs11:token=x?pin-source=/run/pin", uri.URI{Token: p("x"), PINSource: "/run/pin"}},
		{"pkcs11:?pin-source=%2frun%2fpin", uri.URI{PINSource: "/run/pin"}},
		{"pkcs11:?pin-source=file:/run/pin", uri.URI{PINSource: "/run/pin"}},
		{"pkcs11:?pin-source=file:///run/the%2520pin", uri.URI{PINSource: "/run/the pin"}},
		{"pkcs11:?pin-source=FILE://localhost/run/pin", uri.URI{PINSource: "/run/pin"}},
		{"pkcs11:?pin-source=pin", uri.URI{PINSource: "pin"}},
		{"pkcs11:id=%01?module-path=/usr/lib/a.so&module-name=a", uri.URI{ID: []byte{1}, ModulePath: "/usr/lib/a.so", ModuleName: "a"}},
		{"pkcs11:?x-init-reserved=configdir='sql:/db'%20flags%3d", uri.URI{InitReserved: "configdir='sql:/db' flags="}},
		{"pkcs11:?vendor=1&x-other=2", uri.URI{Ignored: []string{"vendor", "x-other"}}},
	} {
		t.Run(c.in, func(t *testing.T) {
			got, err := uri.Parse(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"officer.pem":                          "this is not a PKCS#11 URI",
		"pkcs11:token":                         "the PKCS#11 URI has no value for token",
		"pkcs11:token=a;;id=%01":               "the PKCS#11 URI has a part without =",
		"pkcs11:tokn=a":                        `the PKCS#11 URI has an unknown attribute "tokn"`,
		"pkcs11:token=a;token=a":               "the PKCS#11 URI names token twice",
		"pkcs11:type=cert;object-type=private": "the PKCS#11 URI names type twice",
		"pkcs11:token=%zz":                     "the PKCS#11 URI has a broken escape in token",
		"pkcs11:token=a%":                      "the PKCS#11 URI has a broken escape in token",
		"pkcs11:token=a%4":                     "the PKCS#11 URI has a broken escape in token",
		"pkcs11:type=key":                      "the PKCS#11 URI has a type that is not known",
		"pkcs11:slot-id=0x1":                   "the PKCS#11 URI has a slot-id that is not a number",
		"pkcs11:slot-id=":                      "the PKCS#11 URI has a slot-id that is not a number",
		"pkcs11:slot-id=18446744073709551616":  "the PKCS#11 URI has a slot-id that is not a number",
		"pkcs11:library-version=256":           "the PKCS#11 URI has a library-version that is none",
		"pkcs11:library-version=1.x":           "the PKCS#11 URI has a library-version that is none",
		"pkcs11:pin-value=1234":                "the PKCS#11 URI has a pin-value",
		"pkcs11:?pin-value=1234":               "the PKCS#11 URI has a pin-value",
		"pkcs11:pin-source=/p":                 "the PKCS#11 URI has pin-source before the ?",
		"pkcs11:?token=a":                      "the PKCS#11 URI has token behind the ?",
		"pkcs11:?pin-source=":                  "the PKCS#11 URI has a pin-source that names no file",
		"pkcs11:?pin-source=|cat%20/p":         "the PKCS#11 URI has a program as its pin-source, which is not run",
		"pkcs11:?pin-source=file://host/p":     "the PKCS#11 URI has a pin-source on another host",
		"pkcs11:?pin-source=file:/%25zz":       "the PKCS#11 URI has a broken escape in pin-source",
		"pkcs11:?module-path=":                 "the PKCS#11 URI has a module-path that names no file",
		"pkcs11:?module-name=a/b":              "the PKCS#11 URI has a module-name that is no bare name",
	} {
		t.Run(in, func(t *testing.T) {
			_, err := uri.Parse(in)
			if err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
			if exit.Of(err) != exit.Usage || exit.HintOf(err) == "" && in != "pkcs11:" {
				t.Errorf("code %d, hint %q", exit.Of(err), exit.HintOf(err))
			}
			if err != nil && strings.Contains(err.Error()+exit.HintOf(err), "1234") {
				t.Error("the error tells the PIN")
			}
		})
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct {
		uri  uri.URI
		want string
	}{
		{uri.URI{}, "pkcs11:"},
		{uri.URI{Token: p("Officer card; 2"), ID: []byte{2, 0xab}, Type: p("private")}, "pkcs11:token=Officer%20card%3B%202;id=%02%AB;type=private"},
		{uri.URI{Serial: p("1"), Object: p("Åsa"), PINSource: "/run/the pin", ModulePath: "/usr/lib/x.so"},
			"pkcs11:serial=1;object=%C3%85sa?pin-source=/run/the%20pin&module-path=/usr/lib/x.so"},
	} {
		if got := c.uri.String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// What is written reads back the same.
func FuzzURI(f *testing.F) {
	for _, s := range []string{
		"pkcs11:token=Officer%20card;id=%02?pin-source=file:/p", "pkcs11:slot-id=1;library-version=3.1", "pkcs11:?x-init-reserved=a", "pkcs11:id=", "pkcs11:?pin-source=file:file:x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := uri.Parse(s)
		if err != nil {
			return
		}
		u.Ignored = nil
		again, err := uri.Parse(u.String())
		if err != nil {
			t.Fatalf("%s: %v", u, err)
		}
		if !reflect.DeepEqual(u, again) {
			t.Errorf("%q gives %+v, then %+v", s, u, again)
		}
	})
}
