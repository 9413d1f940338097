package cmdutil

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func filter(t *testing.T, args ...string) (cmapi.CertificateFilter, error) {
	t.Helper()
	cmd := &cobra.Command{Use: "search", SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error { return nil }}
	ff := AddFilterFlags(cmd)
	cmd.SetArgs(args)
	if err := cmd.Execute(); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return ff.filter(noon)
}

// TestFilters: each flag sets its one parameter of the API, in the form that
// the API wants, and nothing else; and each parameter has its flag.
func TestFilters(t *testing.T) {
	covered := map[string]bool{"searchLimit": true, "searchOffset": true} // paging: --limit
	for _, c := range []struct {
		args  string // parted by |
		query string
	}{
		{"--cn|Demo User", "subjectCommonName=Demo User"},
		{"--given-name|Anna", "subjectGivenName=Anna"},
		{"--surname|Demo", "subjectSurName=Demo"},
		{"--org|Demo, Inc", "subjectOrganisationName=Demo, Inc"},
		{"--ou|x", "subjectOrganisationUnit=x"},
		{"--subject-serial|S-1", "subjectSerialNumber=S-1"},
		{"--country|SE", "subjectCountry=SE"},
		{"--card-serial|99", "cardSerialNumber=99"},
		{"--serial|0x00AB", "certificateSerialNumber=00ab"},
		{"--serial|00:ab", "certificateSerialNumber=00ab"},
		{"--serial|1234", "certificateSerialNumber=1234"},
		{"--serial|dec:4779", "certificateSerialNumber=12ab"},
		{"--issuer|cn=Demo Issuing CA,o=Demo,c=SE", "issuer=cn=Demo Issuing CA,o=Demo,c=SE"},
		{"--aki|AB:cd", "authorityKeyIdentifier=abcd"},
		{"--ski|0xABCD", "subjectKeyIdentifier=abcd"},
		{"--type|ee", "subjectType=EE"},
		{"--type|EE,CA", "subjectType=EE,CA"},
		{"--type|CA|--type|EE", "subjectType=CA,EE"},
		{"--field1|a", "field1=a"}, {"--field2|a", "field2=a"}, {"--field3|a", "field3=a"},
		{"--field4|a", "field4=a"}, {"--field5|a", "field5=a"}, {"--field6|a", "field6=a"},
		{"--reason|keyCompromise", "revocationReason=1"},
		{"--reason|superseded,10,cACompromise", "revocationReason=4,10,2"},
		{"--not-revoked", "isNotRevoked=true"},
		{"--not-revoked=false", ""},
		{"--published", "publicationAllowed=true"},
		{"--not-yet-valid", "isNotYetValid=true"},
		{"--expired", "isExpired=true"},
		{"--revoked-after|2026-01-02", "revocationTimeFrom=2026-01-02T00:00:00Z"},
		{"--revoked-before|2026-01-02T03:04:05+01:00", "revocationTimeTo=2026-01-02T02:04:05Z"},
		{"--published-after|-12h", "publicationTimeFrom=2026-03-02T00:00:00Z"},
		{"--published-before|now", "publicationTimeTo=2026-03-02T12:00:00Z"},
		{"--ocsp-after|30d", "ocspActivationTimeFrom=2026-04-01T12:00:00Z"},
		{"--ocsp-before|now", "ocspActivationTimeTo=2026-03-02T12:00:00Z"},
		{"--valid-from-after|now", "validFromTimeFrom=2026-03-02T12:00:00Z"},
		{"--valid-from-before|now", "validFromTimeTo=2026-03-02T12:00:00Z"},
		{"--expires-after|now", "validToTimeFrom=2026-03-02T12:00:00Z"},
		{"--expires-before|now", "validToTimeTo=2026-03-02T12:00:00Z"},
		{"--expires-within|30d", "validToTimeFrom=2026-03-02T12:00:00Z&validToTimeTo=2026-04-01T12:00:00Z"},
		{"--param|orderBy=validTo|--param|orderBy=cn|--param|x==a=b", "orderBy=validTo&orderBy=cn&x==a=b"},
		{"--cn|a|--org|b", "subjectCommonName=a&subjectOrganisationName=b"},
		{"", ""},
	} {
		var args []string
		if c.args != "" {
			args = strings.Split(c.args, "|")
		}
		want := url.Values{}
		for _, pair := range strings.Split(c.query, "&") {
			if name, value, ok := strings.Cut(pair, "="); ok {
				want.Add(name, value)
				covered[name] = true
			}
		}
		f, err := filter(t, args...)
		if got := f.Query(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v; want %v", args, got, err, want)
		}
	}
	for _, name := range cmapi.FilterParameters() {
		if !covered[name] {
			t.Errorf("no flag sets %s", name)
		}
	}
}

// TestFilterHelp: each flag's help names the API's parameter, so that the
// vendor's documentation applies.
func TestFilterHelp(t *testing.T) {
	cmd := &cobra.Command{}
	AddFilterFlags(cmd)
	usages := cmd.Flags().FlagUsages()
	for _, name := range cmapi.FilterParameters() {
		if name != "searchLimit" && name != "searchOffset" && !strings.Contains(usages, "(API: "+name+")") {
			t.Errorf("%s is not in the help", name)
		}
	}
}

func TestFilterRefuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--serial|xyz", "--serial"},
		{"--serial|dec:", "--serial"},
		{"--aki|xyz", "--aki"},
		{"--ski|abc", "--ski"},
		{"--ski|:", "--ski"},
		{"--type|XX", "--type"},
		{"--reason|bored", "--reason"},
		{"--reason|7", "--reason"},
		{"--revoked-after|yesterday", "--revoked-after"},
		{"--expires-before|2026-13-01", "--expires-before"},
		{"--expires-within|soon", "--expires-within"},
		{"--expires-within|30d|--expires-after|now", "--expires-within"},
		{"--param|orderBy", "--param"},
		{"--param|=x", "--param"},
		{"--param|issuer=cn=x", "--param"},
		{"--param|searchLimit=5", "--param"},
	} {
		f, err := filter(t, strings.Split(c.args, "|")...)
		if exit.Of(err) != exit.Usage || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, exit %d, %v", c.args, f.Query(), exit.Of(err), err)
		}
	}
}
