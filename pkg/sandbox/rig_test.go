package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/fault"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// rig is a running sandbox and what tests do with it.
type rig struct {
	*Server
	t       testing.TB
	clients map[string]*http.Client
}

func newRig(t testing.TB, opts Options) *rig {
	t.Helper()
	s, err := Start(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Server: s, t: t, clients: map[string]*http.Client{}}
	t.Cleanup(func() {
		for _, c := range r.clients {
			c.CloseIdleConnections()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func faults(t testing.TB, rules ...string) []fault.Rule {
	t.Helper()
	var out []fault.Rule
	for _, r := range rules {
		parsed, err := fault.Parse(r, OperationIDs())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, parsed)
	}
	return out
}

func (r *rig) path(name string) string { return filepath.Join(r.Dir, name) }

// tlsConfig trusts the sandbox and shows the certificate of the files named.
func (r *rig) tlsConfig(who string) *tls.Config {
	r.t.Helper()
	pool := x509.NewCertPool()
	data, err := os.ReadFile(r.path("ca.pem"))
	if err != nil || !pool.AppendCertsFromPEM(data) {
		r.t.Fatal("ca.pem", err)
	}
	cfg := &tls.Config{RootCAs: pool}
	if who != "" {
		pair, err := tls.LoadX509KeyPair(r.path(who+".pem"), r.path(who+".key"))
		if err != nil {
			r.t.Fatal(err)
		}
		// As contract: sent whatever the CA hints.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return cfg
}

func (r *rig) client(who string) *http.Client {
	if c := r.clients[who]; c != nil {
		return c
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: r.tlsConfig(who)}, Timeout: 20 * time.Second}
	r.clients[who] = c
	return c
}

// reply is an answer, read whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// field returns a member of a JSON answer.
func (a reply) field(name string) any {
	var m map[string]any
	if json.Unmarshal(a.body, &m) != nil {
		return nil
	}
	return m[name]
}

func (a reply) code() int {
	n, ok := a.field("error").(float64)
	if !ok {
		return 999
	}
	return int(n)
}

// itemCodes lists errors[] as certid=code.
func (a reply) itemCodes() string {
	var m struct {
		Errors []struct {
			CertID string `json:"certid"`
			Code   int    `json:"errorcode"`
		} `json:"errors"`
	}
	_ = json.Unmarshal(a.body, &m)
	var out []string
	for _, e := range m.Errors {
		out = append(out, e.CertID+"="+idText(int64(e.Code)))
	}
	return strings.Join(out, " ")
}

func (r *rig) send(who string, req *http.Request) (reply, error) {
	resp, err := r.client(who).Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, body}, err
}

func (r *rig) must(who string, req *http.Request) reply {
	r.t.Helper()
	a, err := r.send(who, req)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r *rig) request(method, path, contentType, body string) *http.Request {
	r.t.Helper()
	req, err := http.NewRequest(method, r.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req
}

func (r *rig) get(path string, accept ...string) reply {
	r.t.Helper()
	req := r.request("GET", path, "", "")
	for _, a := range accept {
		req.Header.Add("Accept", a)
	}
	return r.must("officer", req)
}

// oneOff is get over a connection of its own: over one used before, net/http
// would send again what was cut.
func (r *rig) oneOff(path string) (reply, error) {
	r.t.Helper()
	tr := &http.Transport{TLSClientConfig: r.tlsConfig("officer")}
	defer tr.CloseIdleConnections()
	r.clients["fresh"] = &http.Client{Transport: tr}
	return r.send("fresh", r.request("GET", path, "", ""))
}

// search gets /certificates with parameters given as name, value, ...
func (r *rig) search(pairs ...string) reply {
	r.t.Helper()
	return r.get("/certificates?" + encode(pairs...))
}

func encode(pairs ...string) string {
	var out []string
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, url.QueryEscape(pairs[i])+"="+url.QueryEscape(pairs[i+1]))
	}
	return strings.Join(out, "&")
}

const urlencoded = "application/x-www-form-urlencoded"

func (r *rig) post(path string, pairs ...string) reply {
	r.t.Helper()
	return r.must("officer", r.request("POST", path, urlencoded, encode(pairs...)))
}

// toSign sends a write unsigned and returns what is to be signed.
func (r *rig) toSign(path string, pairs ...string) []byte {
	r.t.Helper()
	a := r.post(path, pairs...)
	data, _ := a.field("dataToSign").(string)
	der, err := base64.StdEncoding.DecodeString(data)
	if err != nil || len(der) == 0 || a.code() != codeSignature || a.status != http.StatusOK {
		r.t.Fatalf("%s %v: %d %s", path, pairs, a.status, a.body)
	}
	return der
}

// openssl runs the binary in the sandbox's folder.
func (r *rig) openssl(stdin []byte, args ...string) []byte {
	r.t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir, cmd.Stdin = r.Dir, bytes.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("openssl %v: %v\n%s", args, err, errOut.String())
	}
	return out.Bytes()
}

// cms signs as the API's notes say, with the key of the files named.
func (r *rig) cms(who string, data []byte, extra ...string) string {
	r.t.Helper()
	args := []string{"cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-signer", who + ".pem", "-inkey", who + ".key"}
	return base64.StdEncoding.EncodeToString(r.openssl(data, append(args, extra...)...))
}

// write is a whole write, signed by the officer.
func (r *rig) write(path string, pairs ...string) reply {
	r.t.Helper()
	sig := r.cms("officer", r.toSign(path, pairs...))
	return r.post(path, append(pairs, "signature", sig)...)
}

// newRequest makes a P-256 key and a PKCS#10 request, DER.
func (r *rig) newRequest(subject string, extra ...string) []byte {
	r.t.Helper()
	args := []string{"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "dev.key", "-outform", "DER", "-subj", subject}
	return r.openssl(nil, append(args, extra...)...)
}

// issue issues a certificate and returns its id.
func (r *rig) issue(cn string, pairs ...string) string {
	r.t.Helper()
	pairs = append([]string{"pkcs10", base64.StdEncoding.EncodeToString(r.newRequest("/C=SE/O=Demo/CN=" + cn))}, pairs...)
	a := r.write("/certificates/pkcs10", pairs...)
	id := a.header.Get("certId")
	if a.status != http.StatusOK || id == "" {
		r.t.Fatalf("issue: %d %s", a.status, a.body)
	}
	return id
}

// state is a certificate's status and reason as details show them.
func (r *rig) state(id string) string {
	r.t.Helper()
	c, _ := r.get("/certificates/" + id + "/details").field("certificate").(map[string]any)
	status, _ := c["status"].(string)
	reason, _ := c["reason"].(string)
	return strings.TrimSpace(status + " " + reason)
}

func (r *rig) requests() []record {
	r.t.Helper()
	f, err := os.Open(r.path("requests.jsonl"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	var out []record
	for s := bufio.NewScanner(f); s.Scan(); {
		var one record
		dec := json.NewDecoder(bytes.NewReader(s.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&one); err != nil {
			r.t.Fatal(err)
		}
		out = append(out, one)
	}
	return out
}

func (r *rig) last() record {
	r.t.Helper()
	all := r.requests()
	if len(all) == 0 {
		r.t.Fatal("nothing was logged")
	}
	return all[len(all)-1]
}

// add puts a certificate into the store that no operation would make.
func (r *rig) add(c store.Cert) string {
	r.t.Helper()
	if c.IssuerDN == "" {
		c.IssuerDN = "cn=Elsewhere"
	}
	if c.Type == "" {
		c.Type = store.EE
	}
	id, err := r.home.store.Add(context.Background(), c)
	if err != nil {
		r.t.Fatal(err)
	}
	return idText(id)
}
