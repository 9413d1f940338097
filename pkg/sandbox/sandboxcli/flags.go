package sandboxcli

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox"
	"github.com/cmctl/cmctl/pkg/sandbox/fault"
	"github.com/spf13/pflag"
)

// value is a flag that reads its argument with a function.
type value struct {
	kind string // what help shows in place of the argument
	text string // the default, then what was given
	set  func(string) error
	many bool
}

func (v *value) Type() string   { return v.kind }
func (v *value) String() string { return v.text }
func (v *value) Set(s string) error {
	if err := v.set(s); err != nil {
		return err
	}
	if v.many && v.text != "" {
		s = v.text + " " + s
	}
	v.text = s
	return nil
}

func number(into *int) func(string) error {
	return func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return errors.New("expected a number, 0 or more")
		}
		*into = n
		return nil
	}
}

func duration(into *time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return errors.New("expected a duration, such as 200ms")
		}
		*into = d
		return nil
	}
}

func choice(into *string, allowed ...string) func(string) error {
	return func(s string) error {
		for _, a := range allowed {
			if s == a {
				*into = s
				return nil
			}
		}
		return errors.New("expected " + strings.Join(allowed, " or "))
	}
}

// addFlags declares the flags of serve and exec.
func addFlags(flags *pflag.FlagSet, o *sandbox.Options) {
	add := func(name, usage string, v *value) { flags.VarP(v, name, "", usage) }
	add("certs", "certificates to seed: active, on hold, revoked and expired ones, the same for the same number and clock",
		&value{kind: "N", text: "0", set: number(&o.Certs)})
	add("signing", "who signs writes: the caller (first answer -19) or the gateway as virtual registration officer",
		&value{kind: "caller|vro", text: sandbox.SigningCaller, set: choice(&o.Signing, sandbox.SigningCaller, sandbox.SigningVRO)})
	add("latency", "time added to every API call", &value{kind: "D", text: "0s", set: duration(&o.Latency)})
	add("crl-delay", "how much later CRLs show that a certificate was revoked or reinstated; OCSP tells at once",
		&value{kind: "D", text: "0s", set: duration(&o.CRLDelay)})
	add("rate", "API calls a second; those above are answered -40; 0: no limit",
		&value{kind: "N", text: "0", set: number(&o.Rate)})
	add("tls-max", "highest TLS version offered",
		&value{kind: "1.2|1.3", text: "1.3", set: func(s string) error {
			var err error
			switch s {
			case "1.2":
				o.TLSMax = tls.VersionTLS12
			case "1.3":
				o.TLSMax = tls.VersionTLS13
			default:
				err = errors.New("expected 1.2 or 1.3")
			}
			return err
		}})
	add("clock", "what the sandbox takes for now when it starts; it goes on from there",
		&value{kind: "T", set: func(s string) error {
			t, err := readClock(s)
			if err != nil {
				return err
			}
			started := time.Now()
			o.Clock = func() time.Time { return t.Add(time.Since(started)) }
			return nil
		}})
	flags.StringVar(&o.BasePath, "base-path", sandbox.DefaultBasePath, "`PATH` of the API")
	add("max-hits", "most certificates that one search returns",
		&value{kind: "N", text: strconv.Itoa(sandbox.DefaultMaxHits), set: func(s string) error {
			if n, err := strconv.Atoi(s); err != nil || n < 1 {
				return errors.New("expected a number, 1 or more")
			}
			return number(&o.MaxHits)(s)
		}})
	add("max-hits-mode", "past the cap, a page is cut silently (clamp), a longer page is refused (page), or any search with more hits is (total)",
		&value{kind: "clamp|page|total", text: sandbox.MaxHitsClamp,
			set: choice(&o.MaxHitsMode, sandbox.MaxHitsClamp, sandbox.MaxHitsPage, sandbox.MaxHitsTotal)})
	add("bounds", "whether a time filter finds its own bounds",
		&value{kind: "exclusive|inclusive", text: sandbox.BoundsExclusive, set: choice(&o.Bounds, sandbox.BoundsExclusive, sandbox.BoundsInclusive)})
	add("quirks", "answer as the API's examples show or as its schemas declare",
		&value{kind: "examples|declared", text: sandbox.QuirksExamples, set: choice(&o.Quirks, sandbox.QuirksExamples, sandbox.QuirksDeclared)})
	add("officer", "one more officer, trusted for TLS and signing by this very certificate (repeatable)",
		&value{kind: "CERT.pem", many: true, set: func(s string) error {
			c, err := sandbox.ReadOfficer(s)
			if err != nil {
				return fmt.Errorf("expected a file with a PEM certificate: %w", err)
			}
			o.Officers = append(o.Officers, c)
			return nil
		}})
	add("fault", "break OPERATION:WHEN:WHAT[:WHICH[:signed|unsigned]], see above (repeatable)",
		&value{kind: "RULE", many: true, set: func(s string) error {
			r, err := fault.Parse(s, sandbox.OperationIDs())
			if err != nil {
				return err
			}
			o.Faults = append(o.Faults, r)
			return nil
		}})
	flags.BoolVar(&o.AllowRemote, "allow-remote", false, "serve on an address that others can reach; the keys are in the clear")
}

// faultHelp is part of the help of serve and exec.
const faultHelp = `
Faults: OPERATION is an operationId of the API or *. WHEN is before, which
counts every call, or after, which counts calls that carried out a write. WHAT:
  reset       cut the connection with a TCP reset
  http503     answer 503 with Retry-After
  html        answer a web page with status 200
  busy        answer -40
  truncate    answer half of the body
  garbage     answer octets that are no JSON
  slow=2s     wait, then go on
  maxparams=N read the first N form parameters only, as containers do
WHICH is nth=3, every=10 or first=5; left out, it is every call.
  --fault revokeCertificate:after:reset:nth=3
carries out the third revocation, then cuts the connection.`

// readClock takes a date-time or a date.
func readClock(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("expected a time such as 2026-01-31T12:00:00Z or 2026-01-31")
}
