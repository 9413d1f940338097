package sandbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"go.yaml.in/yaml/v3"
	"software.sslmate.com/src/go-pkcs12"
)

func TestFilesOfTheFolder(t *testing.T) {
	r := newRig(t, Options{})
	names := []string{"ca.pem", "url", "officer.pem", "officer.key", "officer.p12", "officer2.pem", "officer2.key", "officer2.p12",
		"guest.pem", "guest.key", "guest.p12", "foreign-ca.pem", "foreign.pem", "config.yaml", "sandbox.env", "requests.jsonl"}
	for _, n := range names {
		info, err := os.Stat(r.path(n))
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v %v", n, info, err)
		}
	}
	if data, err := os.ReadFile(r.path("url")); err != nil || string(data) != r.URL+"\n" {
		t.Errorf("url: %q, %v", data, err)
	}
	for _, who := range []string{"officer", "officer2", "guest"} {
		data, err := os.ReadFile(r.path(who + ".p12"))
		if err != nil {
			t.Fatal(err)
		}
		_, leaf, chain, err := pkcs12.DecodeChain(data, P12Password)
		own, err2 := readCertificate(r.path(who + ".pem"))
		if err != nil || err2 != nil || !leaf.Equal(own) || len(chain) != 1 {
			t.Errorf("%s.p12: %v %v", who, err, err2)
		}
		r.openssl(nil, "pkcs12", "-in", who+".p12", "-passin", "pass:"+P12Password, "-nodes")
	}
	r.openssl(nil, "verify", "-CAfile", "foreign-ca.pem", "foreign.pem")
	var config struct {
		Current  string                       `yaml:"current-context"`
		Contexts map[string]map[string]string `yaml:"contexts"`
	}
	data, err := os.ReadFile(r.path("config.yaml"))
	if err == nil {
		err = yaml.Unmarshal(data, &config)
	}
	if err != nil || config.Current != "sandbox" || len(config.Contexts) != 3 {
		t.Fatalf("config.yaml: %+v, %v", config, err)
	}
	for name, who := range map[string]string{"sandbox": "officer", "sandbox2": "officer2", "guest": "guest"} {
		c := config.Contexts[name]
		if c["server"] != r.URL || c["ca-file"] != "ca.pem" || c["cert"] != who+".pem" || c["key"] != who+".key" {
			t.Errorf("context %s: %v", name, c)
		}
	}
	dir := r.Dir
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the temporary folder is still there: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func TestCheckOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		bad  string // part of message and hint; empty: good
	}{
		{"zero value", Options{}, ""},
		{"all set", Options{Addr: "localhost:0", Signing: SigningVRO, MaxHitsMode: MaxHitsTotal, Bounds: BoundsInclusive, Quirks: QuirksDeclared, BasePath: "/a/b/c", TLSMax: tls.VersionTLS12}, ""},
		{"IPv6 loopback", Options{Addr: "[::1]:0"}, ""},
		{"another loopback", Options{Addr: "127.9.9.9:0"}, ""},
		{"remote, allowed", Options{Addr: "0.0.0.0:0", AllowRemote: true}, ""},
		{"signing", Options{Signing: "me"}, "caller or vro"},
		{"mode", Options{MaxHitsMode: "x"}, "clamp or page or total"},
		{"bounds", Options{Bounds: "x"}, "exclusive or inclusive"},
		{"quirks", Options{Quirks: "x"}, "examples or declared"},
		{"certs", Options{Certs: -1}, "--certs"},
		{"latency", Options{Latency: -1}, "--latency"},
		{"rate", Options{Rate: -1}, "--rate"},
		{"hits", Options{MaxHits: -1}, "--max-hits"},
		{"tls", Options{TLSMax: tls.VersionTLS11}, "1.2 or 1.3"},
		{"relative path", Options{BasePath: "api"}, "--base-path"},
		{"path with a slash at the end", Options{BasePath: "/api/"}, "--base-path"},
		{"the root as path", Options{BasePath: "/"}, "--base-path"},
		{"the path of CRLs", Options{BasePath: "/pgwy/dp/api"}, "where CRLs and OCSP are"},
		{"all addresses", Options{Addr: "0.0.0.0:8444"}, "--allow-remote"},
		{"no host", Options{Addr: ":8444"}, "--allow-remote"},
		{"a name", Options{Addr: "example.com:8444"}, "--allow-remote"},
		{"no port", Options{Addr: "127.0.0.1"}, "HOST:PORT"},
	} {
		err := c.o.Check()
		if c.bad == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err == nil || exit.Of(err) != exit.Usage || !strings.Contains(err.Error()+" "+exit.HintOf(err), c.bad) {
			t.Errorf("%s: %v, hint %q", c.name, err, exit.HintOf(err))
		}
	}
}

func TestStartFails(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := filepath.Glob(filepath.Join(os.TempDir(), "cmctl-sandbox-*"))
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"port taken":   {Addr: busy.Addr().String()},
		"dir a file":   {Dir: file},
		"wrong option": {Signing: "x"},
	} {
		if s, err := Start(context.Background(), o); err == nil {
			s.Close()
			t.Errorf("%s: it started", name)
		}
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if s, err := Start(cancelled, Options{}); err == nil {
		s.Close()
		t.Error("it started with a cancelled context")
	}
	after, err := filepath.Glob(filepath.Join(os.TempDir(), "cmctl-sandbox-*"))
	if err != nil || len(after) > len(before) {
		t.Errorf("folders left: %v, %v", after, err)
	}
}

// A folder whose making was interrupted is not taken for a sandbox.
func TestHalfMadeFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "gateway"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(context.Background(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not finished") {
		t.Errorf("%v", err)
	}
}

func TestSeedOnce(t *testing.T) {
	dir := t.TempDir()
	hits := func(certs int) (any, error) {
		s, err := Start(context.Background(), Options{Dir: dir, Certs: certs})
		if err != nil {
			return nil, err
		}
		r := &rig{Server: s, t: t, clients: map[string]*http.Client{}}
		defer s.Close()
		resp, err := r.oneOff("/certificates?searchLimit=0")
		return resp.field("searchHits"), err
	}
	first, err := hits(30)
	if err != nil {
		t.Fatal(err)
	}
	for _, certs := range []int{0, 30} {
		if again, err := hits(certs); err != nil || again != first {
			t.Errorf("--certs %d: %v hits, %v; want %v", certs, again, err, first)
		}
	}
	if _, err := hits(31); exit.Of(err) != exit.Usage {
		t.Errorf("another number: %v", err)
	}
}

// --clock moves what the gateway takes for now and leaves it reachable.
func TestClock(t *testing.T) {
	for _, at := range []time.Time{time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2033, 1, 2, 3, 4, 5, 0, time.UTC)} {
		clock := newClock(at)
		r := newRig(t, Options{Clock: clock.now})
		id := r.issue("Clock")
		der := r.get("/certificates/" + id + "/download").body
		c, err := x509.ParseCertificate(der)
		if err != nil || !c.NotBefore.Equal(at) {
			t.Errorf("issued at %v, want %v; %v", c.NotBefore, at, err)
		}
	}
}
