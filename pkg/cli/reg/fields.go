package reg

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// field is one field of a registration that is no secret: a flag, a column of a
// list, a member of the request.
type field struct {
	flag, api string
	usage     string
	choices   []string
	at        func(*cmapi.RegistrationInput) *string
	check     func(string) (string, error)
}

// fields are all of them: those that every type has, then those of SCEP, EST
// and ACME.
func fields() []field {
	type in = cmapi.RegistrationInput
	return []field{
		{"fqdn", "fqdn", "`name` of the device, or a pattern; of an acme registration the id of its key", nil, func(r *in) *string { return &r.FQDN }, checkText(maxText)},
		{"validity", "validity", "`days` that it stays open, or always", nil, func(r *in) *string { return &r.Validity }, checkValidity},
		{"status", "status", "whether certificates may be made under it", statuses(), func(r *in) *string { return &r.Status }, checkStatus},
		{"ip-address", "ipaddress", "IP `address` of the device; scep", nil, func(r *in) *string { return &r.IPAddress }, checkIP},
		{"email", "email", "mail `address` for it; scep", nil, func(r *in) *string { return &r.Email }, checkEmail},
		{"serial-number", "serialnumber", "serial `number` of the device; scep", nil, func(r *in) *string { return &r.SerialNumber }, checkSerial},
		{"username", "username", "`user` of HTTP authentication; est", nil, func(r *in) *string { return &r.Username }, checkUser},
		{"realm", "realm", "`realm` of HTTP authentication; est", nil, func(r *in) *string { return &r.Realm }, checkText(maxText)},
		{"subject-cn", "subject-commonname", "common `name` expected in the request, for certificate authentication; est", nil, func(r *in) *string { return &r.SubjectCN }, checkText(maxCN)},
		{"auth-ca", "authentication-certificate-ca", "issuing `CA` of the device's own certificate, by its AWB name; est", nil, func(r *in) *string { return &r.AuthenticationCA }, checkText(maxText)},
		{"allowed-domains", "allowedDomains", "`domains` that certificates may be for, separated by commas; acme", nil, func(r *in) *string { return &r.AllowedDomains }, checkDomains},
	}
}

// baseFields are the fields that every type has.
var baseFields = []string{"fqdn", "validity", "status"}

// isOf says whether registrations of a kind have a field.
func isOf(api string, kind cmapi.RegistrationKind) bool {
	return slices.Contains(baseFields, api) || slices.Contains(kind.Fields(), api)
}

// set checks a value and puts it into the input.
func (fd field) set(in *cmapi.RegistrationInput, kind cmapi.RegistrationKind, value string) (err error) {
	if value == "" {
		return errors.New("it is empty")
	}
	check := fd.check
	switch kind {
	case cmapi.ESTRegistration, cmapi.CMPRegistration, cmapi.SCEPRegistration:
		if fd.api == "fqdn" { // of other types it may be anything (docs/api-notes.md, 26)
			check = checkHost
		}
	}
	*fd.at(in), err = check(value)
	return err
}

// input is the command line's part of a registration.
type input struct {
	values map[string]*string // by flag
	secret *secret            // of the kind; see secrets.go
	all    []*secret
}

// addFlags adds a flag for each field. what goes into the text of --generate.
func (v *input) addFlags(cmd *cobra.Command) {
	v.values = map[string]*string{}
	for _, fd := range fields() {
		value := new(string)
		v.values[fd.flag] = value
		usage := fd.usage
		if fd.choices != nil {
			cmdutil.EnumFlag(cmd, value, fd.flag, usage, fd.choices, cmdutil.OneOf[string](fd.choices...))
		} else {
			cmd.Flags().StringVar(value, fd.flag, "", usage)
		}
		cmd.Flags().Lookup(fd.flag).Usage += " (API: " + fd.api + ")"
	}
	v.all = secrets()
	for _, s := range v.all {
		s.addFlags(cmd)
	}
}

// read checks the flags that are given and makes a registration of them. Those
// of other types are refused.
func (v *input) read(cmd *cobra.Command, kind cmapi.RegistrationKind) (in cmapi.RegistrationInput, err error) {
	given := cmd.Flags().Changed
	for _, s := range v.all {
		for _, flag := range s.flags() {
			if given(flag) && !isOf(s.api, kind) {
				return in, notOf(flag, kind)
			}
		}
		if isOf(s.api, kind) {
			v.secret = s
		}
	}
	for _, fd := range fields() {
		switch {
		case !given(fd.flag):
			continue
		case !isOf(fd.api, kind):
			return in, notOf(fd.flag, kind)
		}
		if err := fd.set(&in, kind, *v.values[fd.flag]); err != nil {
			return in, exit.Usagef("", "--%s: %w", fd.flag, err)
		}
	}
	if v.secret != nil {
		if err := v.secret.check(given); err != nil {
			return in, err
		}
	}
	return in, nil
}

func notOf(flag string, kind cmapi.RegistrationKind) error {
	hint := "they have --fqdn, --validity and --status only; --type says which type is meant"
	if own := flagsOf(kind); len(own) > 0 {
		hint = "they have --fqdn, --validity, --status, " + strings.Join(own, ", ")
	}
	return exit.Usagef(hint, "--%s is no field of %s registrations", flag, words(kind))
}

// flagsOf are the flags of the fields that only one kind has.
func flagsOf(kind cmapi.RegistrationKind) (flags []string) {
	for _, fd := range fields() {
		if slices.Contains(kind.Fields(), fd.api) {
			flags = append(flags, "--"+fd.flag)
		}
	}
	for _, s := range secrets() {
		if slices.Contains(kind.Fields(), s.api) {
			flags = append(flags, "--"+s.fileFlag)
		}
	}
	return flags
}

// estForm is how a device proves itself in an EST registration. Nothing but the
// fields tells the forms apart, so they are never mixed (docs/api-notes.md, 35).
type estForm struct{ http, certificate string } // a field of each that is given; empty: none

func formOf(in cmapi.RegistrationInput) (form estForm) {
	switch {
	case in.Username != "":
		form.http = "username"
	case in.Realm != "":
		form.http = "realm"
	case in.Password != "":
		form.http = "a password"
	}
	switch {
	case in.SubjectCN != "":
		form.certificate = "subject-cn"
	case in.AuthenticationCA != "":
		form.certificate = "auth-ca"
	}
	return form
}

// checkForm refuses a mixture.
func checkForm(form estForm) error {
	if form.http != "" && form.certificate != "" {
		return exit.Usagef("", "%s belongs to HTTP authentication and %s to authentication by certificate: an est registration has one of them", form.http, form.certificate)
	}
	return nil
}

// checkMixture refuses it in a wish; secret says that one is to come.
func checkMixture(in cmapi.RegistrationInput, kind cmapi.RegistrationKind, secret bool) error {
	if kind != cmapi.ESTRegistration {
		return nil
	}
	form := formOf(in)
	if secret {
		form.http = "a password"
	}
	return checkForm(form)
}

// checkNew refuses a new registration that lacks what its type needs, secrets
// aside.
func checkNew(in cmapi.RegistrationInput, kind cmapi.RegistrationKind, secret bool) error {
	if in.FQDN == "" {
		return errors.New("fqdn is missing")
	}
	if kind != cmapi.ESTRegistration {
		return nil
	}
	if form := formOf(in); !secret && form.http == "" && form.certificate == "" {
		return errors.New("an est registration needs a password, subject-cn or auth-ca")
	}
	return checkMixture(in, kind, secret)
}
