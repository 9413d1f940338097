package reg

import (
	"strings"

	"github.com/cmctl/cmctl/pkg/bulk"
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

// result is the record of a registration that was to be created or changed:
// {"regid":"AAEC=","outcome":"done","fqdn":"demo.example.com"}.
type result struct {
	bulk.Result
	RegID string // empty: not created, or not known
	FQDN  string
	File  string // where its generated secret is; empty: none was generated
}

// outcomeNoun prints what a write did to each registration.
var outcomeNoun = output.Noun[result]{
	Name:   "outcome",
	Schema: "registration-outcome",
	ID: func(r result) string {
		if r.Outcome.Good() {
			return r.RegID
		}
		return "" // -o id: only those for which the wish is true
	},
	JSON: func(r result) any {
		return struct {
			RegID   string       `json:"regid,omitempty"`
			Outcome bulk.Outcome `json:"outcome"`
			Line    int          `json:"line,omitempty"`
			Input   string       `json:"input,omitempty"`
			FQDN    string       `json:"fqdn,omitempty"`
			File    string       `json:"file,omitempty"`
			Error   *ops.Reason  `json:"error,omitempty"`
		}{r.RegID, r.Outcome, r.Line, ops.InputOf(r.Item), r.FQDN, r.File, ops.ReasonOf(r.Err)}
	},
	Fields: append(append([]output.Field[result]{
		{Name: "regid", Value: func(r result) string { return r.RegID }},
	}, cmdutil.OutcomeFields(func(r result) bulk.Result { return r.Result })...), []output.Field[result]{
		{Name: "fqdn", Value: func(r result) string { return r.FQDN }, Flex: true},
		{Name: "file", Value: func(r result) string { return r.File }, Where: output.NotInTable},
	}...),
}

// name is how messages call one registration of a write.
func name(r result) string {
	if r.FQDN != "" {
		return "registration of " + r.FQDN
	}
	return "registration " + r.RegID
}
