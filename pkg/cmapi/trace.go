package cmapi

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"sync"
	"time"
)

// What --debug may show. Everything else is masked, so that a secret stays
// hidden without being listed.
var (
	shownHeaders = set("Accept", "Content-Type", "Content-Length", "User-Agent", "Date", "Server", "Location", "Retry-After", "certId")
	shownFields  = set(append([]string{
		"error", "msg", "searchHits", "errors", "errorcode", "errormessage", "servererrormessage", "arrayindex", "limit",
		"certid", "certids", "reason", "revocationtime", "procname", "validfrom", "validto", "status", "subjectType",
		"certificates", "certificate", "certificateserialnumber", "subject", "issuer", "keyusage", "procedures", "procid", "name",
		"authorityKeyIdentifier", "subjectKeyIdentifier", "issuers", "subjects", "subjectDn",
		"registrations", "registration", "regid", "regtype", "fqdn", "validity", "creationdate", "officer", "keyid", "accountid", "accountids", "allowedDomains",
	}, FilterParameters()...)...)
)

const masked = "***"

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[strings.ToLower(n)] = true
	}
	return m
}

// exchangeTrace writes one exchange to the configured trace, masked. The zero
// value writes nothing. It reads copies only: what is sent and what is
// returned are the same bytes with and without it.
type exchangeTrace struct {
	out   io.Writer
	mu    *sync.Mutex
	head  string
	start time.Time
}

func (c *Client) traceStart(req *http.Request, r Request) exchangeTrace {
	if c.cfg.Trace == nil {
		return exchangeTrace{}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "> %s %s (%s)\n", req.Method, maskURL(req.URL), r.Operation)
	writeHeaders(&b, ">", req.Header)
	if len(r.Body) > 0 {
		fmt.Fprintf(&b, "> %s\n", maskBody(r.ContentType, r.Body))
	}
	return exchangeTrace{out: c.cfg.Trace, mu: &c.traceMu, head: b.String(), start: time.Now()}
}

func (t exchangeTrace) failed(err error) {
	if t.out != nil {
		t.write(fmt.Sprintf("< no answer after %s: %v\n", time.Since(t.start).Round(time.Millisecond), rootCause(err)))
	}
}

func (t exchangeTrace) answered(resp *http.Response, body []byte, err error) {
	if t.out == nil {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "< %s %s, %d bytes after %s\n", resp.Proto, resp.Status, len(body), time.Since(t.start).Round(time.Millisecond))
	if s := resp.TLS; s != nil {
		fmt.Fprintf(&b, "< %s, resumed %t\n", tlsVersion(s.Version), s.DidResume)
	}
	writeHeaders(&b, "<", resp.Header)
	if len(body) > 0 {
		fmt.Fprintf(&b, "< %s\n", maskBody(resp.Header.Get("Content-Type"), body))
	}
	if err != nil {
		fmt.Fprintf(&b, "< broken off: %v\n", err)
	}
	t.write(b.String())
}

// write keeps the exchanges of parallel calls whole.
func (t exchangeTrace) write(tail string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = io.WriteString(t.out, t.head+tail)
}

func tlsVersion(v uint16) string {
	return map[uint16]string{0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}[v]
}

func writeHeaders(b *strings.Builder, mark string, h http.Header) {
	for _, name := range sortedKeys(h) {
		v := strings.Join(h[name], ", ")
		switch {
		case !shownHeaders[strings.ToLower(name)]:
			v = masked
		case name == "Location": // the query of a login page may hold a token
			v, _, _ = strings.Cut(v, "?")
		}
		fmt.Fprintf(b, "%s %s: %s\n", mark, name, v)
	}
}

func maskURL(u *url.URL) string {
	s := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		s += "?" + maskValues(u.Query())
	}
	return s
}

func maskValues(q url.Values) string {
	for name, vs := range q {
		if !shownFields[strings.ToLower(name)] {
			for i := range vs {
				vs[i] = masked
			}
		}
	}
	return strings.ReplaceAll(q.Encode(), url.QueryEscape(masked), masked)
}

func maskBody(contentType string, body []byte) string {
	media, params, _ := mime.ParseMediaType(contentType)
	switch {
	case media == "application/x-www-form-urlencoded":
		if q, err := url.ParseQuery(string(body)); err == nil {
			return maskValues(q)
		}
	case media == "multipart/form-data":
		return maskMultipart(params["boundary"], body)
	case strings.HasSuffix(media, "json"):
		var v any
		if json.Unmarshal(body, &v) == nil {
			out, _ := json.Marshal(maskJSON("", v))
			return string(out)
		}
	}
	return fmt.Sprintf("%s %d bytes", masked, len(body))
}

func maskMultipart(boundary string, body []byte) string {
	var parts []string
	for rd := multipart.NewReader(strings.NewReader(string(body)), boundary); ; {
		p, err := rd.NextPart()
		if err != nil {
			break
		}
		v, _ := io.ReadAll(p)
		if !shownFields[strings.ToLower(p.FormName())] {
			v = []byte(fmt.Sprintf("%s %d bytes", masked, len(v)))
		}
		parts = append(parts, p.FormName()+": "+string(v))
	}
	sort.Strings(parts)
	return strings.Join(parts, "; ")
}

func maskJSON(name string, v any) any {
	switch x := v.(type) {
	case map[string]any:
		if name != "" && !shownFields[strings.ToLower(name)] {
			return masked
		}
		for k := range x {
			x[k] = maskJSON(k, x[k])
		}
		return x
	case []any:
		for i := range x {
			x[i] = maskJSON(name, x[i])
		}
		return x
	}
	if !shownFields[strings.ToLower(name)] {
		return masked
	}
	return v
}
