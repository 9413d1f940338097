package reg

import (
	"strings"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

// registrationNoun prints registrations. The tsv columns and their order are
// contract: append only.
var registrationNoun = output.Noun[cmapi.Registration]{
	Name:   "registration",
	Schema: "registration",
	ID:     func(r cmapi.Registration) string { return r.RegID },
	Fields: []output.Field[cmapi.Registration]{
		{Name: "regid", Value: func(r cmapi.Registration) string { return r.RegID }},
		{Name: "status", Value: func(r cmapi.Registration) string { return r.Status }, Tone: statusTone},
		{Name: "regtype", Value: func(r cmapi.Registration) string { return r.RegType }},
		{Name: "fqdn", Value: func(r cmapi.Registration) string { return r.FQDN }, Flex: true},
		{Name: "validity", Value: func(r cmapi.Registration) string { return r.Validity }, Spare: true},
		{Name: "creationdate", Value: func(r cmapi.Registration) string { return cmdutil.TimeText(r.CreationDate) }, Cell: func(r cmapi.Registration) string { return cmdutil.DateText(r.CreationDate) }},
		{Name: "officer", Value: func(r cmapi.Registration) string { return r.Officer }, Flex: true, Spare: true},
		{Name: "certids", Value: func(r cmapi.Registration) string { return strings.Join(r.CertIDs, ",") }, Where: output.NotInTable},
		{Name: "accountids", Value: func(r cmapi.Registration) string { return strings.Join(r.AccountIDs, ",") }, Where: output.NotInTable},
		{Name: "encryptedpassword", Value: func(r cmapi.Registration) string { return r.EncryptedPassword }, Where: output.NotInTable},
	},
}

func statusTone(r cmapi.Registration) output.Tone {
	if r.Status == cmapi.RegistrationClosed {
		return output.Warn
	}
	return output.Plain
}

// outcomeNoun prints what a write did to each registration.
var outcomeNoun = output.Noun[ops.RegistrationResult]{
	Name:   "outcome",
	Schema: "registration-outcome",
	ID: func(r ops.RegistrationResult) string {
		if r.Outcome == ops.Done || r.Outcome == ops.Already {
			return r.RegID
		}
		return "" // -o id: only those for which the wish is true
	},
	Fields: append(append([]output.Field[ops.RegistrationResult]{
		{Name: "regid", Value: func(r ops.RegistrationResult) string { return r.RegID }},
	}, cmdutil.OutcomeFields(func(r ops.RegistrationResult) ops.Result { return r.Result })...), []output.Field[ops.RegistrationResult]{
		{Name: "fqdn", Value: func(r ops.RegistrationResult) string { return r.FQDN }, Flex: true},
		{Name: "file", Value: func(r ops.RegistrationResult) string { return r.File }, Where: output.NotInTable},
	}...),
}

// name is how messages call one registration of a write.
func name(r ops.RegistrationResult) string {
	switch {
	case r.FQDN != "":
		return "registration of " + r.FQDN
	default:
		return "registration " + r.RegID
	}
}
