package cert

import (
	"strings"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
)

// certificateNoun prints certificates as CM knows them. The tsv columns and
// their order are contract: append only.
var certificateNoun = output.Noun[cmapi.Certificate]{
	Name:   "certificate",
	Schema: "certificate",
	ID:     func(c cmapi.Certificate) string { return c.CertID },
	Fields: []output.Field[cmapi.Certificate]{
		{Name: "certid", Value: func(c cmapi.Certificate) string { return c.CertID }},
		{Name: "status", Value: func(c cmapi.Certificate) string { return c.Status }, Cell: stateCell, Detail: stateCell, Tone: stateTone, Where: output.InTable | output.InWide | output.InTSV},
		{Name: "status", Value: func(c cmapi.Certificate) string { return cmdutil.StateWords(&c) }, Tone: stateTone, Where: output.InDetails},
		{Name: "serial", Value: func(c cmapi.Certificate) string { return c.Serial.String() }, Spare: true},
		{Name: "validfrom", Value: func(c cmapi.Certificate) string { return cmdutil.TimeText(c.ValidFrom) }, Where: output.NotInTable},
		{Name: "validto", Value: func(c cmapi.Certificate) string { return cmdutil.TimeText(c.ValidTo) }, Where: output.NotInTable},
		{Name: "validto", Value: func(c cmapi.Certificate) string { return cmdutil.DateText(c.ValidTo) }, Where: output.InTable}, // the day is what people plan by
		{Name: "type", Value: func(c cmapi.Certificate) string { return c.SubjectType }, Where: output.NotInTable},
		{Name: "reason", Value: func(c cmapi.Certificate) string { return c.Reason }},
		{Name: "revocationtime", Value: func(c cmapi.Certificate) string { return cmdutil.TimeText(c.RevocationTime) }, Where: output.NotInTable},
		{Name: "subject", Value: func(c cmapi.Certificate) string { return c.Subject }, Flex: true},
		{Name: "issuer", Value: func(c cmapi.Certificate) string { return c.Issuer }, Where: output.NotInTable, Flex: true},
		{Name: "keyusage", Value: func(c cmapi.Certificate) string { return strings.Join(c.KeyUsage, ",") }, Where: output.InDetails},
		{Name: "aki", Value: func(c cmapi.Certificate) string { return c.AKI }, Where: output.InDetails},
		{Name: "ski", Value: func(c cmapi.Certificate) string { return c.SKI }, Where: output.InDetails},
	},
}

func stateCell(c cmapi.Certificate) string { return cmdutil.StateWords(&c) }

func stateTone(c cmapi.Certificate) output.Tone {
	switch {
	case c.OnHold():
		return output.Warn
	case c.Status == cmapi.StatusRevoked:
		return output.Bad
	}
	return output.Plain
}

// outcomeNoun prints what a write did to each item.
var outcomeNoun = output.Noun[ops.Result]{
	Name:   "outcome",
	Schema: "outcome",
	ID: func(r ops.Result) string {
		if r.Outcome.Good() {
			return r.Key
		}
		return "" // -o id: only those for which the wish is true
	},
	JSON: func(r ops.Result) any { return ops.RecordOf(r) },
	Fields: append([]output.Field[ops.Result]{
		{Name: "certid", Value: func(r ops.Result) string { return r.Key }},
	}, cmdutil.OutcomeFields(func(r ops.Result) ops.Result { return r })...),
}

// stored is a certificate that was issued or downloaded, and where it went.
type stored struct {
	CertID  string     `json:"certid,omitempty"`
	Serial  pki.Serial `json:"certificateserialnumber,omitempty"`
	Subject string     `json:"subject,omitempty"`
	File    string     `json:"file,omitempty"`
	PEM     string     `json:"pem,omitempty"`
	Input   string     `json:"input,omitempty"` // the request's file, when several were given

	Base     string `json:"base,omitempty"`     // certid that an attribute certificate is bound to
	KeyPairs int    `json:"keypairs,omitempty"` // in a device key package
}

var storedNoun = output.Noun[stored]{
	Name:   "certificate",
	Schema: "issued",
	ID:     func(s stored) string { return s.CertID },
	Fields: []output.Field[stored]{
		{Name: "certid", Value: func(s stored) string { return s.CertID }},
		{Name: "serial", Value: func(s stored) string { return s.Serial.String() }, Spare: true},
		{Name: "subject", Value: func(s stored) string { return s.Subject }, Flex: true},
		{Name: "file", Value: func(s stored) string { return s.File }},
	},
}
