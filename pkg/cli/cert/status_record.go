package cert

import (
	"time"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/revstatus"
)

// The verdicts. Their words are contract.
const (
	verdictAgree    = "agree"
	verdictDiffer   = "differ"
	verdictUnproven = "unproven"
	verdictNone     = "no-source"

	gatewayUnknown = "unknown" // the gateway does not know it
)

// statusRecord is what is printed of one certificate.
type statusRecord struct {
	CertID  string     `json:"certid,omitempty"`
	Serial  pki.Serial `json:"certificateserialnumber,omitempty"`
	Subject string     `json:"subject,omitempty"`
	Issuer  string     `json:"issuer,omitempty"`
	ValidTo time.Time  `json:"validto,omitzero"`
	Verdict string     `json:"verdict"`
	Problem string     `json:"problem,omitempty"`
	Gateway *stateOf   `json:"gateway,omitempty"`
	CRL     source     `json:"crl"`
	OCSP    source     `json:"ocsp"`
}

// stateOf is a state with its reason and time.
type stateOf struct {
	Status         string    `json:"status"`
	Reason         string    `json:"reason,omitempty"`
	RevocationTime time.Time `json:"revocationtime,omitzero"`
}

// words is the state for people: a hold is told by its name.
func (s stateOf) words() string {
	if s.Status == cmapi.StatusRevoked && s.Reason == pki.CertificateHold.String() {
		return "on hold"
	}
	return s.Status
}

// source is what a CRL or a responder says.
type source struct {
	stateOf
	URL        string    `json:"url,omitempty"`
	Number     string    `json:"crlnumber,omitempty"`
	ThisUpdate time.Time `json:"thisupdate,omitzero"`
	NextUpdate time.Time `json:"nextupdate,omitzero"`
	ProducedAt time.Time `json:"producedat,omitzero"`
	Responder  string    `json:"responder,omitempty"`
	Nonce      bool      `json:"nonce,omitempty"`
	Error      string    `json:"error,omitempty"`

	proven bool
}

func sourceOf(a revstatus.Answer) source {
	s := source{
		stateOf: stateOf{Status: string(a.State), RevocationTime: seconds(a.RevokedAt)},
		URL:     a.URL, Number: a.Number,
		ThisUpdate: seconds(a.ThisUpdate), NextUpdate: seconds(a.NextUpdate), ProducedAt: seconds(a.ProducedAt),
		Responder: a.Responder, Nonce: a.Nonce, proven: a.Proven(),
	}
	if a.State == revstatus.Revoked {
		s.Reason = a.Reason.String()
	}
	if a.Err != nil {
		s.Error = a.Err.Error()
	}
	return s
}

// seconds is a time as JSON has it.
func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// judge compares what the sources say.
func (g *gathered) judge() {
	r := &g.statusRecord
	if g.err != nil {
		r.CRL.Status, r.OCSP.Status = string(revstatus.None), string(revstatus.None)
		r.Verdict, r.Problem = verdictUnproven, g.err.Error()
		return
	}
	said := map[string]bool{}
	if r.Gateway != nil && r.Gateway.Status != gatewayUnknown {
		said[r.Gateway.words()] = true
	}
	sources, unproven := 0, false
	for _, s := range []source{r.CRL, r.OCSP} {
		switch state := revstatus.State(s.Status); {
		case state == revstatus.None:
			continue
		case !s.proven || state == revstatus.Unknown:
			unproven = true
		case state == revstatus.Revoked:
			said[s.words()] = true
		default: // good, not listed
			said[cmapi.StatusActive] = true
		}
		sources++
	}
	switch {
	case sources == 0:
		r.Verdict = verdictNone
	case len(said) > 1 && r.CRL.Status == string(revstatus.NotListed) && !r.ValidTo.After(r.CRL.ThisUpdate):
		r.Verdict, r.Problem = verdictUnproven, "it has expired: a CRL need not list it any more"
	case len(said) > 1:
		r.Verdict = verdictDiffer
	case unproven:
		r.Verdict = verdictUnproven
	default:
		r.Verdict = verdictAgree
	}
	for _, s := range []source{r.CRL, r.OCSP} {
		if r.Problem == "" {
			r.Problem = s.Error
		}
	}
}

// statusNoun prints what gateway, CRL and OCSP say. The tsv columns and their
// order are contract: append only.
var statusNoun = output.Noun[statusRecord]{
	Name:   "status",
	Schema: "status",
	ID: func(r statusRecord) string {
		if gatewayOf(r).Status == gatewayUnknown {
			return ""
		}
		return r.CertID
	},
	Fields: []output.Field[statusRecord]{
		{Name: "certid", Value: func(r statusRecord) string { return r.CertID }},
		{Name: "verdict", Value: func(r statusRecord) string { return r.Verdict }, Tone: verdictTone},
		{Name: "gateway", Value: func(r statusRecord) string { return gatewayOf(r).Status }, Cell: func(r statusRecord) string { return gatewayOf(r).words() }, Tone: func(r statusRecord) output.Tone { return stateOfTone(r.Gateway) }, Detail: func(r statusRecord) string { return stateText(r.Gateway) }},
		{Name: "crl", Value: func(r statusRecord) string { return r.CRL.Status }, Cell: func(r statusRecord) string { return r.CRL.words() }, Tone: func(r statusRecord) output.Tone { return stateOfTone(&r.CRL.stateOf) }, Detail: func(r statusRecord) string { return stateText(&r.CRL.stateOf) }},
		{Name: "ocsp", Value: func(r statusRecord) string { return r.OCSP.Status }, Cell: func(r statusRecord) string { return r.OCSP.words() }, Tone: func(r statusRecord) output.Tone { return stateOfTone(&r.OCSP.stateOf) }, Detail: func(r statusRecord) string { return stateText(&r.OCSP.stateOf) }},
		{Name: "reason", Value: func(r statusRecord) string { return gatewayOf(r).Reason }, Where: output.InWide | output.InTSV},
		{Name: "revocationtime", Value: func(r statusRecord) string { return cmdutil.TimeText(gatewayOf(r).RevocationTime) }, Where: output.InWide | output.InTSV},
		{Name: "crlreason", Value: func(r statusRecord) string { return r.CRL.Reason }, Where: output.InTSV},
		{Name: "crlrevocationtime", Value: func(r statusRecord) string { return cmdutil.TimeText(r.CRL.RevocationTime) }, Where: output.InTSV},
		{Name: "crlnumber", Label: "crl number", Value: func(r statusRecord) string { return r.CRL.Number }, Where: output.InTSV | output.InDetails},
		{Name: "crlthisupdate", Label: "crl made", Value: func(r statusRecord) string { return cmdutil.TimeText(r.CRL.ThisUpdate) }, Where: output.NotInTable},
		{Name: "crlnextupdate", Label: "crl next", Value: func(r statusRecord) string { return cmdutil.TimeText(r.CRL.NextUpdate) }, Where: output.NotInTable},
		{Name: "ocspreason", Value: func(r statusRecord) string { return r.OCSP.Reason }, Where: output.InTSV},
		{Name: "ocsprevocationtime", Value: func(r statusRecord) string { return cmdutil.TimeText(r.OCSP.RevocationTime) }, Where: output.InTSV},
		{Name: "ocspproducedat", Label: "ocsp produced", Value: func(r statusRecord) string { return cmdutil.TimeText(r.OCSP.ProducedAt) }, Where: output.NotInTable},
		{Name: "ocspthisupdate", Label: "ocsp made", Value: func(r statusRecord) string { return cmdutil.TimeText(r.OCSP.ThisUpdate) }, Where: output.InTSV | output.InDetails},
		{Name: "ocspnextupdate", Label: "ocsp next", Value: func(r statusRecord) string { return cmdutil.TimeText(r.OCSP.NextUpdate) }, Where: output.InTSV | output.InDetails},
		{Name: "ocspresponder", Label: "ocsp signed by", Value: func(r statusRecord) string { return r.OCSP.Responder }, Where: output.InTSV | output.InDetails},
		{Name: "ocspnonce", Label: "ocsp nonce", Value: nonceWord, Where: output.InTSV | output.InDetails},
		{Name: "serial", Value: func(r statusRecord) string { return r.Serial.String() }, Where: output.NotInTable},
		{Name: "subject", Value: func(r statusRecord) string { return r.Subject }, Flex: true},
		{Name: "issuer", Value: func(r statusRecord) string { return r.Issuer }, Flex: true, Where: output.NotInTable},
		{Name: "crlurl", Label: "crl url", Value: func(r statusRecord) string { return r.CRL.URL }, Where: output.InTSV | output.InDetails},
		{Name: "ocspurl", Label: "ocsp url", Value: func(r statusRecord) string { return r.OCSP.URL }, Where: output.InTSV | output.InDetails},
		{Name: "problem", Value: func(r statusRecord) string { return r.Problem }, Where: output.NotInTable},
	},
}

func gatewayOf(r statusRecord) stateOf {
	if r.Gateway == nil {
		return stateOf{} // not asked
	}
	return *r.Gateway
}

// stateText is a state with all that belongs to it.
func stateText(s *stateOf) string {
	if s == nil {
		return "not asked"
	}
	text := s.words()
	if s.Reason != "" && text != "on hold" {
		text += ", " + s.Reason
	}
	if !s.RevocationTime.IsZero() {
		text += ", " + cmdutil.TimeText(s.RevocationTime)
	}
	return text
}

func nonceWord(r statusRecord) string {
	switch {
	case r.OCSP.ProducedAt.IsZero():
		return ""
	case r.OCSP.Nonce:
		return "echoed"
	}
	return "not echoed"
}

func verdictTone(r statusRecord) output.Tone {
	switch r.Verdict {
	case verdictDiffer:
		return output.Bad
	case verdictUnproven:
		return output.Warn
	}
	return output.Plain
}

func stateOfTone(s *stateOf) output.Tone {
	switch {
	case s == nil:
	case s.words() == "on hold":
		return output.Warn
	case s.Status == cmapi.StatusRevoked, s.Status == string(revstatus.Failed):
		return output.Bad
	}
	return output.Plain
}
