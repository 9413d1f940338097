package cmdutil

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/search"
)

func query(t *testing.T, args string) (Query, error) {
	t.Helper()
	fs := pflag.NewFlagSet("search", pflag.ContinueOnError)
	ff := NewFilterFlags(fs)
	if err := fs.Parse(strings.Split(args, "|")); err != nil {
		t.Fatalf("%s: %v", args, err)
	}
	return ff.Query(noon)
}

// crowd has a certificate in each state, told by its id.
var crowd = []cmapi.Certificate{
	{CertID: "active", Status: "active", Subject: "CN=Anna, O=Demo", Issuer: "cn=A", Serial: "00ab", KeyUsage: []string{"serverAuth", "clientAuth"}},
	{CertID: "onhold", Status: "revoked", Reason: "certificateHold", Subject: "CN=Bo", Issuer: "cn=Anna CA", Serial: "12"},
	{CertID: "revoked", Status: "revoked", Reason: "superseded", Subject: "CN=anna", Issuer: "cn=B", Serial: "13", Fields: []byte(`{"field1":"Göteborg"}`)},
	{CertID: "odd", Status: "suspended", Subject: "CN=Odd", Issuer: "cn=B", Serial: "14"},
}

// TestQuery: what the gateway is asked, and who of the crowd is kept here.
func TestQuery(t *testing.T) {
	const all = "active onhold revoked odd"
	for _, c := range []struct{ args, asked, kept string }{
		{"--cn|x", "subjectCommonName=x", all},
		{"--status|active", "isNotRevoked=true", all},
		{"--status|active,ACTIVE", "isNotRevoked=true", all},
		{"--status|on-hold", "revocationReason=6", all},
		{"--status|revoked", "revocationReason=0,1,3,4,5,9,2,8,10", all},
		{"--status|revoked|--reason|1,6", "revocationReason=1", all},
		{"--status|revoked,onhold|--reason|1,6", "revocationReason=1,6", all},
		{"--status|onhold,revoked", "revocationReason=0,1,3,4,5,6,9,2,8,10", all},
		{"--status|active,onhold", "", "active onhold"},
		{"--status|active|--status|revoked", "", "active revoked"},
		{"--status|active,onhold,revoked", "", all},
		{"--status|active|--not-revoked", "isNotRevoked=true", all},
		{"--match|Anna", "", "active onhold"},
		{"--match|(?i)anna", "", "active onhold revoked"},
		{"--match|subject=^CN=Anna", "", "active"},
		{"--match|CN=Anna", "", "active"},
		{"--match|cn=A", "", "active onhold"},
		{"--match|[C]N=Anna", "", "active"},
		{"--match|[A-Z]+[=]Anna", "", "active"},
		{"--match|^CN=Anna|--match|Demo$", "", "active"},
		{"--match|^00", "", "active"},
		{"--match|serial=^1", "", "onhold revoked odd"},
		{"--match|certid=^o", "", "onhold odd"},
		{"--match|keyusage=serverAuth", "", "active"},
		{"--match|extended=Göteborg", "", "revoked"},
		{"--match|Anna|--match|issuer=CA$", "", "onhold"},
		{"--status|active,revoked|--match|(?i)anna", "", "active revoked"},
		{"--issued-since|2026-03-01", "validFromTimeFrom=2026-02-28T23:59:59Z", all},
		{"--issued-since|-7d", "validFromTimeFrom=2026-02-23T11:59:59Z", all},
		{"--revoked-after|now", "revocationTimeFrom=2026-03-02T12:00:00Z", all},
		{"--revoked-before|0d", "revocationTimeTo=2026-03-02T12:00:00Z", all},
		{"--revoked-before|2026-04-01", "revocationTimeTo=2026-04-01T00:00:00Z", all},
		{"--valid-from-after|7d", "validFromTimeFrom=2026-03-09T12:00:00Z", all},
	} {
		q, err := query(t, c.args)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		var asked, kept []string
		for name, values := range q.Filter.Query() {
			asked = append(asked, name+"="+strings.Join(values, ","))
		}
		for i := range crowd {
			if q.Keep == nil || q.Keep(&crowd[i]) {
				kept = append(kept, crowd[i].CertID)
			}
		}
		if strings.Join(asked, "&") != c.asked || strings.Join(kept, " ") != c.kept {
			t.Errorf("%s: asks %s and keeps %s, want %s and %s", c.args, asked, kept, c.asked, c.kept)
		}
	}
}

func TestQueryRefuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--status|expired", "--status"},
		{"--status|", "--status"},
		{"--status|onhold|--not-revoked", "--not-revoked"},
		{"--status|active|--reason|1", "--reason"},
		{"--status|onhold|--reason|1", "--reason"},
		{"--status|revoked|--reason|certificateHold", "--reason"},
		{"--match|(abc", "missing closing )"},
		{"--match|", "--match"},
		{"--match|subject=", "--match"},
		{"--match|sbject=^vpn", `there is no field "sbject"`},
		{"--match|issuername=Demo", `there is no field "issuername"`},
		{"--match|Subject=vpn", `there is no field "Subject"`},
		{"--match|cn=^vpn", `there is no field "cn"`},
		{"--match|subject=vpn|--match|sbject=x", `there is no field "sbject"`},
		{"--issued-since|then", "--issued-since"},
		{"--issued-since|7d", "--issued-since: 7d lies ahead"},
		{"--issued-since|+7d", "--issued-since: 7d lies ahead"},
		{"--revoked-after|12h", "--revoked-after: 12h lies ahead"},
		{"--revoked-before|1y", "--revoked-before: 1y lies ahead"},
		{"--issued-since|-7d|--valid-from-after|-7d", "--issued-since"},
		{"--expires-within|-30d", "--expires-within"},
		{"--expires-within|now", "--expires-within"},
	} {
		q, err := query(t, c.args)
		if exit.Of(err) != exit.Usage || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, exit %d, %v", c.args, q.Filter.Query(), exit.Of(err), err)
		}
	}
}

// pages is a gateway with 400 certificates.
type pages struct{ asked []int }

func (p *pages) List(_ context.Context, _ cmapi.CertificateFilter, limit, offset int) (*cmapi.CertificatePage, error) {
	p.asked = append(p.asked, limit)
	page := &cmapi.CertificatePage{Hits: 400}
	for i := offset; i < 400 && (limit == 0 || i < offset+limit); i++ {
		page.Certificates = append(page.Certificates, cmapi.Certificate{CertID: fmt.Sprint(i), Subject: fmt.Sprint("number ", i%10)})
	}
	return page, nil
}

// A limit and a count are of what is kept, and a search that the gateway
// answers whole costs one call to count.
func TestQueryLimitAndCount(t *testing.T) {
	seven := Query{Keep: func(c *cmapi.Certificate) bool { return strings.HasSuffix(c.Subject, "7") }}
	for _, c := range []struct {
		limit, want int
	}{{0, 40}, {1, 1}, {39, 39}, {40, 40}, {41, 40}} {
		var got []string
		err := seven.Run(t.Context(), &pages{}, search.Options{Limit: c.limit}, func(cs []cmapi.Certificate) error {
			for _, k := range cs {
				got = append(got, k.CertID)
			}
			return nil
		})
		if err != nil || len(got) != c.want || got[0] != "7" {
			t.Errorf("limit %d: %v, %v; want %d of them", c.limit, got, err, c.want)
		}
	}
	if n, err := seven.Count(t.Context(), &pages{}, search.Options{}); n != 40 || err != nil {
		t.Errorf("counts %d, %v", n, err)
	}
	p := &pages{}
	if n, err := (Query{}).Count(t.Context(), p, search.Options{}); n != 400 || err != nil || len(p.asked) != 1 || p.asked[0] != 1 {
		t.Errorf("counts %d, %v, asking %v", n, err, p.asked)
	}
}
