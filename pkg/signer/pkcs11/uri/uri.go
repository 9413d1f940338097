// Package uri reads and writes PKCS#11 URIs (RFC 7512), the names of tokens,
// keys and certificates:
//
//	pkcs11:token=Officer%20card;id=%02;type=private?pin-source=/run/pin
//
// It is strict where a slip would choose another key (unknown or repeated
// attributes, broken escapes) and never repeats a URI in an error: it may hold
// a PIN.
package uri

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Scheme is what every PKCS#11 URI starts with; case does not count.
const Scheme = "pkcs11:"

// Is tells a PKCS#11 URI from a file name.
func Is(ref string) bool {
	return len(ref) >= len(Scheme) && strings.EqualFold(ref[:len(Scheme)], Scheme)
}

// Mask is a reference to show: a PIN in it, and all that stands behind it, is
// masked, whatever else is wrong with it.
func Mask(ref string) string {
	const pin = "pin-value"
	for i := range len(ref) - len(pin) + 1 {
		if end := i + len(pin); strings.EqualFold(ref[i:end], pin) {
			return ref[:end] + "=***"
		}
	}
	return ref
}

// Types of objects, the values of the attribute type.
const (
	TypeCert    = "cert"
	TypePrivate = "private"
	TypePublic  = "public"
)

var types = []string{"cert", "data", "private", "public", "secret-key"}

// URI is a parsed URI. An attribute that is not in it is nil; one that is
// there and empty is not.
type URI struct {
	Token, Manufacturer, Serial, Model *string
	Object                             *string
	Type                               *string
	ID                                 []byte
	SlotID                             *uint64
	SlotDescription, SlotManufacturer  *string
	LibraryDescription                 *string
	LibraryManufacturer                *string
	LibraryVersion                     *Version

	PINSource              string // a path, or a file: URI taken apart
	ModulePath, ModuleName string
	InitReserved           string // x-init-reserved: what a module such as NSS wants at its start

	Ignored []string // query attributes of others, by name
}

// Version is a library's.
type Version struct{ Major, Minor byte }

// text are the attributes whose value is text, by name.
func (u *URI) text(name string) **string {
	switch name {
	case "token":
		return &u.Token
	case "manufacturer":
		return &u.Manufacturer
	case "serial":
		return &u.Serial
	case "model":
		return &u.Model
	case "object":
		return &u.Object
	case "type", "object-type": // the second is of the drafts, and still met
		return &u.Type
	case "slot-description":
		return &u.SlotDescription
	case "slot-manufacturer":
		return &u.SlotManufacturer
	case "library-description":
		return &u.LibraryDescription
	case "library-manufacturer":
		return &u.LibraryManufacturer
	}
	return nil
}

const (
	pathHint  = "attributes are token, manufacturer, serial, model, object, id, type, slot-id, slot-description, slot-manufacturer, library-description, library-manufacturer and library-version; after ? pin-source, module-path and module-name"
	pinHint   = "take it out: a PIN in a command line or a config file is read by others; name its file with pin-source or --pin-file"
	escapeFmt = "the PKCS#11 URI has a broken escape in %s"
)

// Parse reads a URI.
func Parse(s string) (*URI, error) {
	if !Is(s) {
		return nil, exit.Usagef("it starts with pkcs11:", "this is not a PKCS#11 URI")
	}
	path, query, _ := strings.Cut(s[len(Scheme):], "?")
	u := &URI{}
	seen := map[string]bool{}
	for _, part := range split(path, ";") {
		if err := u.pathAttribute(part, seen); err != nil {
			return nil, err
		}
	}
	for _, part := range split(query, "&") {
		if err := u.queryAttribute(part, seen); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// split gives the attributes; one stray separator at the end is forgiven.
func split(s, separator string) []string {
	s = strings.TrimSuffix(s, separator)
	if s == "" {
		return nil
	}
	return strings.Split(s, separator)
}

// attribute takes one apart and decodes its value.
func attribute(part string, seen map[string]bool) (name, value string, err error) {
	name, raw, ok := strings.Cut(part, "=")
	switch {
	case !ok && !plainName(name): // may be the rest of a PIN
		return "", "", exit.Usagef(pathHint, "the PKCS#11 URI has a part without =")
	case !ok:
		return "", "", exit.Usagef("write "+name+"=VALUE", "the PKCS#11 URI has no value for %s", name)
	case !plainName(name):
		return "", "", exit.Usagef(pathHint, "the PKCS#11 URI has an attribute whose name is no word")
	case seen[name]:
		return "", "", exit.Usagef("keep one of them", "the PKCS#11 URI names %s twice", name)
	}
	seen[name] = true
	value, ok = unescape(raw)
	if !ok {
		return "", "", exit.Usagef("write % as %25", escapeFmt, name)
	}
	return name, value, nil
}

func plainName(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return s != "" && len(s) <= 64 && strings.Trim(s, letters) == ""
}

func (u *URI) pathAttribute(part string, seen map[string]bool) error {
	name, value, err := attribute(part, seen)
	if err != nil {
		return err
	}
	if field := u.text(name); field != nil {
		if *field != nil { // type and object-type
			return exit.Usagef("keep one of them", "the PKCS#11 URI names type twice")
		}
		*field = &value
		if field == &u.Type && !slices.Contains(types, value) {
			return exit.Usagef("types are "+strings.Join(types, ", "), "the PKCS#11 URI has a type that is not known")
		}
		return nil
	}
	switch name {
	case "id":
		u.ID = []byte(value)
	case "slot-id":
		n, ok := number(value, 1<<64-1)
		if !ok {
			return exit.Usagef("a slot's number is decimal", "the PKCS#11 URI has a slot-id that is not a number")
		}
		u.SlotID = &n
	case "library-version":
		major, minor, _ := strings.Cut(value, ".")
		a, okA := number(major, 255)
		b, okB := number(minor, 255)
		if !okA || minor != "" && !okB {
			return exit.Usagef("write it like 3.1", "the PKCS#11 URI has a library-version that is none")
		}
		u.LibraryVersion = &Version{byte(a), byte(b)}
	case "pin-source", "module-path", "module-name", "x-init-reserved":
		return exit.Usagef("write it behind a ?: pkcs11:token=...?"+name+"=...", "the PKCS#11 URI has %s before the ?", name)
	case "pin-value":
		return exit.Usagef(pinHint, "the PKCS#11 URI has a pin-value")
	default:
		return exit.Usagef(pathHint, "the PKCS#11 URI has an unknown attribute %q", name)
	}
	return nil
}

func (u *URI) queryAttribute(part string, seen map[string]bool) error {
	name, value, err := attribute(part, seen)
	if err != nil {
		return err
	}
	switch name {
	case "pin-source":
		u.PINSource, err = pinSource(value)
		return err
	case "pin-value":
		return exit.Usagef(pinHint, "the PKCS#11 URI has a pin-value")
	case "module-path":
		if value == "" || strings.ContainsRune(value, 0) {
			return exit.Usagef("name the module's file", "the PKCS#11 URI has a module-path that names no file")
		}
		u.ModulePath = value
	case "module-name":
		if value == "" || strings.ContainsAny(value, "/\\\x00") {
			return exit.Usagef("write it like opensc-pkcs11; a path goes into module-path", "the PKCS#11 URI has a module-name that is no bare name")
		}
		u.ModuleName = value
	case "x-init-reserved":
		u.InitReserved = value
	default:
		if _, isPath := pathNames()[name]; isPath {
			return exit.Usagef("write it before the ?", "the PKCS#11 URI has %s behind the ?", name)
		}
		u.Ignored = append(u.Ignored, name) // RFC 7512, 2.3: of vendors
	}
	return nil
}

func pathNames() map[string]bool {
	names := map[string]bool{}
	for _, n := range strings.Fields("token manufacturer serial model object type id slot-id slot-description slot-manufacturer library-description library-manufacturer library-version") {
		names[n] = true
	}
	return names
}

// pinSource takes a path or a file: URI.
func pinSource(value string) (string, error) {
	path := value
	if len(value) >= 5 && strings.EqualFold(value[:5], "file:") {
		path = value[5:]
		if rest, ok := strings.CutPrefix(path, "//"); ok {
			host, file, _ := strings.Cut(rest, "/")
			if host != "" && host != "localhost" {
				return "", exit.Usagef("write file:///PATH", "the PKCS#11 URI has a pin-source on another host")
			}
			path = "/" + file
		}
		var ok bool
		if path, ok = unescape(path); !ok {
			return "", exit.Usagef("write % as %25", escapeFmt, "pin-source")
		}
	}
	switch {
	case strings.HasPrefix(path, "|"):
		return "", exit.Usagef("let the shell run it: --pin-file <(COMMAND)", "the PKCS#11 URI has a program as its pin-source, which is not run")
	case path == "" || strings.ContainsRune(path, 0):
		return "", exit.Usagef("name the file whose first line is the PIN", "the PKCS#11 URI has a pin-source that names no file")
	}
	return path, nil
}

func number(s string, most uint64) (uint64, bool) {
	if s == "" {
		return 0, false
	}
	var n uint64
	for _, c := range []byte(s) {
		d := uint64(c - '0')
		if c < '0' || c > '9' || n > (most-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// unescape decodes %XX. Characters that the RFC would have escaped are taken
// as they are: officers type blanks.
func unescape(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, ok := hex(s[i+1])
		lo, ok2 := hex(s[i+2])
		if !ok || !ok2 {
			return "", false
		}
		b.WriteByte(hi<<4 | lo)
		i += 2
	}
	return b.String(), true
}

func hex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// String writes the URI in the order of the RFC's examples. Parse gives the
// same again; attributes of others are left out.
func (u *URI) String() string {
	var path, query []string
	add := func(name string, value *string) {
		if value != nil {
			path = append(path, name+"="+escape(*value, pathChars))
		}
	}
	if v := u.LibraryVersion; v != nil {
		path = append(path, fmt.Sprintf("library-version=%d.%d", v.Major, v.Minor))
	}
	add("library-manufacturer", u.LibraryManufacturer)
	add("library-description", u.LibraryDescription)
	add("slot-manufacturer", u.SlotManufacturer)
	add("slot-description", u.SlotDescription)
	if u.SlotID != nil {
		path = append(path, fmt.Sprintf("slot-id=%d", *u.SlotID))
	}
	add("model", u.Model)
	add("manufacturer", u.Manufacturer)
	add("serial", u.Serial)
	add("token", u.Token)
	if u.ID != nil {
		path = append(path, "id="+escapeAll(u.ID))
	}
	add("object", u.Object)
	add("type", u.Type)
	source := u.PINSource
	if len(source) >= 5 && strings.EqualFold(source[:5], "file:") { // a file of that name
		source = "file:" + escape(source, unreserved)
	}
	for _, q := range []struct{ name, value string }{
		{"pin-source", source}, {"module-path", u.ModulePath}, {"module-name", u.ModuleName}, {"x-init-reserved", u.InitReserved},
	} {
		if q.value != "" {
			query = append(query, q.name+"="+escape(q.value, queryChars))
		}
	}
	s := Scheme + strings.Join(path, ";")
	if len(query) > 0 {
		s += "?" + strings.Join(query, "&")
	}
	return s
}

// What stands unescaped. The RFC allows more; these need no quoting in a shell
// beyond that for ; and ?.
const (
	unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
	pathChars  = unreserved + ":@"
	queryChars = pathChars + "/"
)

const upperHex = "0123456789ABCDEF"

func escape(s, plain string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

func escapeAll(id []byte) string { return escape(string(id), "") }
