package sandbox

import (
	"net/url"
	"slices"
	"sort"
	"strings"
)

// operation is one operation of the API: where it is, and the one function
// that knows what it means. Exactly one of read and write is set.
type operation struct {
	id      string // operationId
	method  string
	pattern string // below the base path; {name} stands for one segment

	json bool // a write whose fields come as JSON

	read  func(*call) (*answer, error)
	write func(*call) (*request, error) // reads and checks; see sign.go for the rest
}

// operations is the route table.
func (g *gateway) operations() []operation {
	return []operation{
		{id: "listCertificates", method: "GET", pattern: "/certificates", read: g.listCertificates},
		{id: "listIssuers", method: "GET", pattern: "/certificates/issuers", read: g.listIssuers},
		{id: "getCertificateDetails", method: "GET", pattern: "/certificates/{certid}/details", read: g.getCertificateDetails},
		{id: "downloadCertificate", method: "GET", pattern: "/certificates/{certid}/download", read: g.downloadCertificate},
		{id: "revokeCertificate", method: "POST", pattern: "/certificates/revoke", write: g.revokeCertificate},
		{id: "reinstateCertificate", method: "POST", pattern: "/certificates/reinstate", write: g.reinstateCertificate},
		{id: "issueCertificatePkcs10", method: "POST", pattern: "/certificates/pkcs10", write: g.issueCertificatePkcs10},
		{id: "issueCertificatePkcs10", method: "POST", pattern: "/certificates/pkcs10/{handler}", write: g.issueCertificatePkcs10},
		{id: "issueCertificatePkcs10ToPkcs12", method: "POST", pattern: "/certificates/pkcs10-to-pkcs12", write: g.issueCertificatePkcs10ToPkcs12},
		{id: "issueCertificatePkcs10ToAttrCert", method: "POST", pattern: "/certificates/{certid}/pkcs10-to-attr-cert", write: g.issueCertificatePkcs10ToAttrCert},
		{id: "secureKeyInjectionPackage", method: "POST", pattern: "/certificates/skip", write: g.secureKeyInjectionPackage},
		{id: "importPKIX509", method: "POST", pattern: "/certificates/import-pki-x509", json: true, write: g.importPKIX509},
		{id: "listProcedures", method: "GET", pattern: "/procedures", read: g.listProcedures},
		{id: "getRegistrationsCertId", method: "GET", pattern: "/registrations/certificate/{certid}", read: g.getRegistrationsCertID},
		{id: "listRegistrations", method: "GET", pattern: "/registrations/{procid}", read: g.listRegistrations(typeAny)},
		{id: "createRegistration", method: "POST", pattern: "/registrations/{procid}", json: true, write: g.createRegistration(typeAny)},
		{id: "updateRegistration", method: "PUT", pattern: "/registrations/{procid}", json: true, write: g.updateRegistration(typeAny)},
		{id: "listRegistrationsScep", method: "GET", pattern: "/registrations/{procid}/scep", read: g.listRegistrations(typeSCEP)},
		{id: "createRegistrationScep", method: "POST", pattern: "/registrations/{procid}/scep", json: true, write: g.createRegistration(typeSCEP)},
		{id: "updateRegistrationScep", method: "PUT", pattern: "/registrations/{procid}/scep", json: true, write: g.updateRegistration(typeSCEP)},
		{id: "listRegistrationsEst", method: "GET", pattern: "/registrations/{procid}/est", read: g.listRegistrations(typeEST)},
		{id: "createRegistrationEst", method: "POST", pattern: "/registrations/{procid}/est", json: true, write: g.createRegistration(typeEST)},
		{id: "updateRegistrationEst", method: "PUT", pattern: "/registrations/{procid}/est", json: true, write: g.updateRegistration(typeEST)},
		{id: "listRegistrationsCmp", method: "GET", pattern: "/registrations/{procid}/cmp", read: g.listRegistrations(typeCMP)},
		{id: "createRegistrationCmp", method: "POST", pattern: "/registrations/{procid}/cmp", json: true, write: g.createRegistration(typeCMP)},
		{id: "updateRegistrationCmp", method: "PUT", pattern: "/registrations/{procid}/cmp", json: true, write: g.updateRegistration(typeCMP)},
		{id: "listAcmeAccounts", method: "GET", pattern: "/registrations/{procid}/acme/accounts", read: g.listAcmeAccounts},
		{id: "listRegistrationsAcme", method: "GET", pattern: "/registrations/{procid}/acme", read: g.listRegistrations(typeACME)},
		{id: "createRegistrationAcme", method: "POST", pattern: "/registrations/{procid}/acme", json: true, write: g.createRegistration(typeACME)},
		{id: "updateRegistrationAcme", method: "PUT", pattern: "/registrations/{procid}/acme", json: true, write: g.updateRegistration(typeACME)},
	}
}

// OperationIDs lists the operations that this sandbox has, sorted.
func OperationIDs() []string {
	var out []string
	for _, op := range (&gateway{}).operations() {
		out = append(out, op.id)
	}
	slices.Sort(out)
	return slices.Compact(out) // one has two paths
}

// router finds the operation for a request.
type router struct{ routes []route }

// route is one path pattern and the operations that share it.
type route struct {
	segments []string
	methods  map[string]*operation
}

// newRouter groups the operations by pattern, the more literal pattern first,
// so that the first one that fits is the right one.
func newRouter(ops []operation) *router {
	byPattern := map[string]int{}
	r := &router{}
	for i := range ops {
		op := &ops[i]
		at, known := byPattern[op.pattern]
		if !known {
			at = len(r.routes)
			byPattern[op.pattern] = at
			r.routes = append(r.routes, route{strings.Split(op.pattern[1:], "/"), map[string]*operation{}})
		}
		r.routes[at].methods[op.method] = op
	}
	sort.SliceStable(r.routes, func(i, j int) bool { return r.routes[i].before(&r.routes[j]) })
	return r
}

// find returns the operation for a method and an escaped path below the base
// path, with the values of its path parameters. known is false for a path that
// the API does not have; op is nil when the path does not take the method.
func (r *router) find(method, escaped string) (op *operation, params map[string]string, known bool) {
	if !strings.HasPrefix(escaped, "/") {
		return nil, nil, false
	}
	got := strings.Split(escaped[1:], "/")
	for i, s := range got {
		u, err := url.PathUnescape(s)
		if err != nil || u == "" {
			return nil, nil, false
		}
		got[i] = u
	}
	for i := range r.routes {
		if params := r.routes[i].match(got); params != nil {
			return r.routes[i].methods[method], params, true
		}
	}
	return nil, nil, false
}

func isParam(segment string) bool { return strings.HasPrefix(segment, "{") }

// match returns the path parameters, nil when the path is another.
func (rt *route) match(got []string) map[string]string {
	if len(got) != len(rt.segments) {
		return nil
	}
	params := map[string]string{}
	for i, s := range rt.segments {
		switch {
		case isParam(s):
			params[s[1:len(s)-1]] = got[i]
		case s != got[i]:
			return nil
		}
	}
	return params
}

// before orders patterns: at the first segment where one is literal and the
// other is not, the literal one comes first. Patterns of different length
// never fit the same path.
func (rt *route) before(other *route) bool {
	if len(rt.segments) != len(other.segments) {
		return len(rt.segments) < len(other.segments)
	}
	for i := range rt.segments {
		if a, b := isParam(rt.segments[i]), isParam(other.segments[i]); a != b {
			return b
		}
	}
	return false
}
