package key

import (
	"cmp"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer/pkcs11"
)

// record is a key as it is listed; a token without keys, and a module without
// tokens, have one too.
type record struct {
	URI         string       `json:"uri"`
	ID          string       `json:"id"`
	Label       string       `json:"label"`
	Type        string       `json:"type"`
	State       string       `json:"state"` // see the states below
	PINEach     *bool        `json:"pinEach"`
	Use         []string     `json:"use"`
	Schemes     []string     `json:"tlsSchemes"`
	Certificate *certificate `json:"certificate"`
	Token       *token       `json:"token"`
	Module      module       `json:"module"`
	Error       string       `json:"error,omitempty"`

	err error // the same, with its hint
}

// The states of a record.
const (
	stateKey    = "key"    // the token shows the private key
	stateHidden = "hidden" // a certificate or public key, whose private key is not shown before the login
	stateOther  = "other"  // a key that does not sign
	stateNoKey  = "none"   // the token shows no key
	stateEmpty  = "empty"  // the module has no token
	stateError  = "error"
)

type certificate struct {
	Subject   string `json:"subject"`
	Issuer    string `json:"issuer"`
	Serial    string `json:"certificateserialnumber"`
	ValidFrom string `json:"validfrom"`
	ValidTo   string `json:"validto"`
	SHA256    string `json:"sha256"`
}

type token struct {
	Label        string   `json:"label"`
	Serial       string   `json:"serial"`
	Manufacturer string   `json:"manufacturer"`
	Model        string   `json:"model"`
	Slot         string   `json:"slot"`
	Reader       string   `json:"reader"`
	URI          string   `json:"uri"`
	State        []string `json:"state"`
	LoggedIn     bool     `json:"loggedIn"`
	Mechanisms   []string `json:"mechanisms"`
}

type module struct {
	Path        string `json:"path"`
	Description string `json:"description"`
}

// records flattens what the modules have.
func records(views []pkcs11.ModuleView, use func(pkcs11.KeyView) []string) (list []record) {
	for _, m := range views {
		base := record{Module: module{m.Path, m.Description}, Use: []string{}, Schemes: []string{}}
		if m.Err != nil {
			base.State, base.Error, base.err = stateError, m.Err.Error(), m.Err
			list = append(list, base)
			continue
		}
		if len(m.Tokens) == 0 {
			base.State = stateEmpty
			list = append(list, base)
		}
		for _, t := range m.Tokens {
			list = append(list, tokenRecords(base, t, use)...)
		}
	}
	return list
}

func tokenRecords(r record, t pkcs11.TokenView, use func(pkcs11.KeyView) []string) (list []record) {
	r.Token = &token{
		Label: t.Label, Serial: t.Serial, Manufacturer: t.Manufacturer, Model: t.Model, Slot: strconv.FormatUint(t.Slot, 10),
		Reader: t.Reader, URI: t.URI, State: orEmpty(t.State), LoggedIn: t.LoggedIn, Mechanisms: orEmpty(t.Mechanisms),
	}
	switch {
	case t.Err != nil:
		r.State, r.Error, r.err = stateError, t.Err.Error(), t.Err
		return []record{r}
	case len(t.Keys) == 0:
		r.State, r.URI = stateNoKey, t.URI
		return []record{r}
	}
	for _, k := range t.Keys {
		r := r
		r.URI, r.ID, r.Label, r.Type = k.URI, hex.EncodeToString(k.ID), k.Label, k.Type
		r.PINEach, r.Use, r.Schemes = k.PINEach, orEmpty(use(k)), orEmpty(k.Schemes)
		switch {
		case !k.CanSign:
			r.State = stateOther
		case k.Shown:
			r.State = stateKey
		default:
			r.State = stateHidden
		}
		if c := k.Leaf; c != nil {
			r.Certificate = &certificate{
				Subject: pki.DN(c.RawSubject), Issuer: pki.DN(c.RawIssuer), Serial: pki.SerialOf(c.SerialNumber).String(),
				ValidFrom: pki.FormatTime(c.NotBefore), ValidTo: pki.FormatTime(c.NotAfter), SHA256: pki.Fingerprint(c.Raw),
			}
		}
		list = append(list, r)
	}
	return list
}

func orEmpty(list []string) []string { return append([]string{}, list...) }

func (r record) token() token {
	if r.Token == nil {
		return token{}
	}
	return *r.Token
}

func (r record) certificate() certificate {
	if r.Certificate == nil {
		return certificate{}
	}
	return *r.Certificate
}

func (r record) pinEach() string {
	switch {
	case r.PINEach == nil:
		return ""
	case *r.PINEach:
		return "yes"
	}
	return "no"
}

// stateCell is the state with what keeps the PIN from being used, or may.
func stateCell(r record) string {
	for _, s := range r.token().State {
		if slices.Contains(pkcs11.PINTroubles(), s) {
			return r.State + ", " + s
		}
	}
	return r.State
}

// keyNoun prints keys; the tsv columns are contract.
var keyNoun = output.Noun[record]{
	Name:   "key",
	Schema: "key",
	ID: func(r record) string {
		if r.State == stateKey || r.State == stateHidden {
			return r.URI
		}
		return ""
	},
	Fields: []output.Field[record]{
		{Name: "uri", Value: func(r record) string { return r.URI }, Where: output.NotInTable},
		{Name: "token", Value: func(r record) string { return r.token().Label }},
		{Name: "id", Value: func(r record) string { return r.ID }},
		{Name: "label", Value: func(r record) string { return r.Label }, Flex: true},
		{Name: "type", Value: func(r record) string { return r.Type }, Spare: true},
		{Name: "state", Value: func(r record) string { return r.State }, Cell: stateCell, Tone: func(r record) output.Tone {
			switch {
			case r.State == stateError, strings.HasSuffix(stateCell(r), ", "+pkcs11.PINTroubles()[0]):
				return output.Bad
			case stateCell(r) != r.State:
				return output.Warn
			}
			return output.Plain
		}},
		{Name: "use", Value: func(r record) string { return strings.Join(r.Use, ",") }},
		{Name: "validto", Header: "VALID TO", Spare: true, Value: func(r record) string { return r.certificate().ValidTo }, Cell: func(r record) string {
			day, _, _ := strings.Cut(r.certificate().ValidTo, "T")
			return day
		}},
		{Name: "subject", Value: func(r record) string { return r.certificate().Subject }, Flex: true, Spare: true},
		{Name: "module", Value: func(r record) string { return r.Module.Path }, Cell: func(r record) string { return filepath.Base(r.Module.Path) }, Where: output.InTable, Spare: true},
		{Name: "uri", Header: "URI", Value: func(r record) string { return r.URI }, Where: output.InTable, Under: func(r record) string {
			return cmp.Or(r.URI, r.Module.Path) // of a row without URI: whose it is
		}},
		{Name: "issuer", Value: func(r record) string { return r.certificate().Issuer }, Where: output.NotInTable},
		{Name: "serial", Value: func(r record) string { return r.certificate().Serial }, Where: output.NotInTable},
		{Name: "sha256", Value: func(r record) string { return r.certificate().SHA256 }, Where: output.NotInTable},
		{Name: "pineach", Header: "PIN EACH", Label: "PIN for each signature", Value: func(r record) string { return r.pinEach() }, Where: output.NotInTable},
		{Name: "tlsschemes", Header: "TLS SCHEMES", Label: "TLS schemes", Value: func(r record) string { return strings.Join(r.Schemes, ",") }, Where: output.InTSV | output.InDetails},
		{Name: "tokenserial", Header: "TOKEN SERIAL", Label: "token serial", Value: func(r record) string { return r.token().Serial }, Where: output.NotInTable},
		{Name: "manufacturer", Value: func(r record) string { return r.token().Manufacturer }, Where: output.NotInTable},
		{Name: "model", Value: func(r record) string { return r.token().Model }, Where: output.NotInTable},
		{Name: "slot", Value: func(r record) string { return r.token().Slot }, Where: output.NotInTable},
		{Name: "reader", Value: func(r record) string { return r.token().Reader }, Where: output.NotInTable},
		{Name: "tokenstate", Header: "TOKEN STATE", Label: "token state", Value: func(r record) string { return strings.Join(r.token().State, ",") }, Where: output.NotInTable},
		{Name: "mechanisms", Value: func(r record) string { return strings.Join(r.token().Mechanisms, ",") }, Where: output.InTSV | output.InDetails},
		{Name: "module", Value: func(r record) string { return r.Module.Path }, Where: output.NotInTable},
		{Name: "error", Value: func(r record) string { return r.Error }, Where: output.NotInTable, Tone: func(record) output.Tone { return output.Bad }},
	},
}

// failure is the error of a list in which nothing else is: the first one.
func failure(list []record) error {
	for _, r := range list {
		if r.err == nil {
			return nil
		}
	}
	if len(list) == 0 {
		return nil
	}
	if errors.As(list[0].err, new(exit.Coder)) {
		return list[0].err
	}
	return exit.New(exit.Key, "", "%s cannot be read: %w", cmp.Or(list[0].token().Reader, list[0].Module.Path), list[0].err)
}

// notes are what people should know beside the table.
func notes(f *cmdutil.Factory, list []record, skipped []string) {
	for _, s := range skipped {
		f.Notice("%s", s)
	}
	hidden := false
	failed := failure(list) // told as such
	for i, r := range list {
		if r.Error != "" && (i > 0 || failed == nil) {
			f.Notice("%s", r.Error)
		}
		t := r.token()
		hidden = hidden || r.State == stateNoKey && !t.LoggedIn && !slices.Contains(t.State, "no PIN")
	}
	if hidden {
		f.Notice("a token may show more after the login: --login")
	}
}
