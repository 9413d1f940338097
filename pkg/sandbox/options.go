package sandbox

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/sandbox/fault"
)

// Values of the options that are words.
const (
	SigningCaller = "caller" // the caller signs: first answer -19
	SigningVRO    = "vro"    // the gateway signs

	MaxHitsClamp = "clamp" // a longer page is cut, silently
	MaxHitsPage  = "page"  // a longer page is refused
	MaxHitsTotal = "total" // a search with more hits than the cap is refused

	BoundsExclusive = "exclusive" // the bounds of a time filter do not match
	BoundsInclusive = "inclusive"

	QuirksExamples = "examples" // answers look as the API's examples do
	QuirksDeclared = "declared" // answers look as the API's schemas declare
)

// The defaults that a caller may want to show.
const (
	DefaultAddr     = "127.0.0.1:8444"
	DefaultBasePath = "/pgwy/api"
	DefaultMaxHits  = 500
)

// Options says how a sandbox behaves. The zero value is a sandbox on a free
// loopback port, in memory, with nothing seeded and no faults.
type Options struct {
	Addr        string // host:port; port 0 or an empty Addr takes a free one
	AllowRemote bool   // Addr may be other than loopback

	// Dir keeps everything over a restart. Empty: a temporary folder for the
	// files, removed by Close, and certificates in memory.
	Dir string

	Certs       int           // certificates to seed
	Signing     string        // SigningCaller (default) or SigningVRO
	Latency     time.Duration // added to each API call
	CRLDelay    time.Duration // CRLs show a change only so much later
	Rate        int           // API calls a second, -40 above; 0: no limit
	TLSMax      uint16        // tls.VersionTLS12 or tls.VersionTLS13 (default)
	BasePath    string        // of the API; DefaultBasePath when empty
	MaxHits     int           // DefaultMaxHits when 0
	MaxHitsMode string        // MaxHitsClamp (default), MaxHitsPage, MaxHitsTotal
	Bounds      string        // BoundsExclusive (default) or BoundsInclusive
	Quirks      string        // QuirksExamples (default) or QuirksDeclared

	Officers []*x509.Certificate // more officers, trusted by these very certificates
	Faults   []fault.Rule        // see OperationIDs for what they may name

	// Clock is what the gateway takes for now; time.Now when nil. It must go on.
	Clock func() time.Time

	// Middleware is wrapped around every API call that has a known operation
	// and a client certificate. It sees the request as it came and the answer
	// as it leaves; FaultFromContext tells whether a fault had a hand in it.
	Middleware func(http.Handler) http.Handler
}

// Option changes Options; programs that embed the command line take these.
type Option func(*Options)

// WithMiddleware sets Options.Middleware.
func WithMiddleware(mw func(http.Handler) http.Handler) Option {
	return func(o *Options) { o.Middleware = mw }
}

// Check fills in defaults and says what is wrong with the rest, in the words
// of the command line's flags.
func (o *Options) Check() error {
	setDefault(&o.Addr, "127.0.0.1:0")
	setDefault(&o.Signing, SigningCaller)
	setDefault(&o.MaxHitsMode, MaxHitsClamp)
	setDefault(&o.Bounds, BoundsExclusive)
	setDefault(&o.Quirks, QuirksExamples)
	setDefault(&o.BasePath, DefaultBasePath)
	if o.MaxHits == 0 {
		o.MaxHits = DefaultMaxHits
	}
	if o.TLSMax == 0 {
		o.TLSMax = tls.VersionTLS13
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	for _, w := range []struct {
		flag, value string
		allowed     []string
	}{
		{"signing", o.Signing, []string{SigningCaller, SigningVRO}},
		{"max-hits-mode", o.MaxHitsMode, []string{MaxHitsClamp, MaxHitsPage, MaxHitsTotal}},
		{"bounds", o.Bounds, []string{BoundsExclusive, BoundsInclusive}},
		{"quirks", o.Quirks, []string{QuirksExamples, QuirksDeclared}},
	} {
		if !contains(w.allowed, w.value) {
			return exit.Usagef("expected "+strings.Join(w.allowed, " or "), "--%s does not know %q", w.flag, w.value)
		}
	}
	for _, n := range []struct {
		flag string
		bad  bool
	}{
		{"certs", o.Certs < 0}, {"latency", o.Latency < 0}, {"crl-delay", o.CRLDelay < 0}, {"rate", o.Rate < 0}, {"max-hits", o.MaxHits < 0},
	} {
		if n.bad {
			return exit.Usagef("expected 0 or more", "--%s is negative", n.flag)
		}
	}
	if o.TLSMax != tls.VersionTLS12 && o.TLSMax != tls.VersionTLS13 {
		return exit.Usagef("expected 1.2 or 1.3", "--tls-max knows no such version")
	}
	if clean := path.Clean(o.BasePath); !strings.HasPrefix(o.BasePath, "/") || clean != o.BasePath || clean == "/" || strings.ContainsAny(clean, "{}?#% ") {
		return exit.Usagef("expected a path such as "+DefaultBasePath, "--base-path %q is not an absolute path", o.BasePath)
	}
	for _, taken := range []string{pointsPath, ocspPath} {
		if strings.HasPrefix(o.BasePath+"/", taken+"/") {
			return exit.Usagef("expected a path such as "+DefaultBasePath, "--base-path %q is where CRLs and OCSP are", o.BasePath)
		}
	}
	return o.checkAddr()
}

// checkAddr keeps a program whose officers' keys lie about in the clear away
// from the network.
func (o *Options) checkAddr() error {
	host, _, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return exit.Usagef("expected HOST:PORT, such as "+DefaultAddr, "--addr %q cannot be read", o.Addr)
	}
	if ip := net.ParseIP(host); !o.AllowRemote && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return exit.Usagef("use a loopback address, or --allow-remote when others may reach a sandbox whose keys are public",
			"--addr %q is not a loopback address", o.Addr)
	}
	return nil
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
