package sandbox

import (
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"testing"
)

// What was seen in the field and is not in the API file.

func TestHandlers(t *testing.T) {
	r := newRig(t, Options{})
	csr := base64.StdEncoding.EncodeToString(r.newRequest("/CN=Handled"))
	for _, c := range []struct {
		handler, procedure, issuer string
	}{
		{"pkcs10", "", "cn=Demo Issuing CA,o=Demo,c=SE"},
		{"pkcs10-leaf", "", "cn=Demo Issuing CA 2,o=Demo,c=SE"},
		{"pkcs10-leaf", "PKCS#10 Procedure", "cn=Demo Issuing CA,o=Demo,c=SE"},
	} {
		pairs := []string{"pkcs10", csr}
		if c.procedure != "" {
			pairs = append(pairs, "procname", c.procedure)
		}
		a := r.write(pkcs10+"/"+c.handler, pairs...)
		shown, _ := r.get("/certificates/" + a.header.Get("certId") + "/details").field("certificate").(map[string]any)
		if a.status != http.StatusOK || shown["issuer"] != c.issuer {
			t.Errorf("%+v: %d %s, %v", c, a.status, a.body, shown)
		}
	}
	for _, handler := range []string{"pkcs12", "p-pkcs10", "other", "%20"} {
		if a := r.post(pkcs10+"/"+handler, "pkcs10", csr); a.status != http.StatusInternalServerError || a.code() != codeBadValue {
			t.Errorf("%s: %d %s", handler, a.status, a.body)
		}
	}
	sig := r.cms("officer", r.toSign(pkcs10+"/pkcs10", "pkcs10", csr))
	for _, path := range []string{pkcs10, pkcs10 + "/pkcs10-leaf"} {
		if a := r.post(path, "pkcs10", csr, "signature", sig); a.code() != codeBadSignature {
			t.Errorf("signed for another handler, %s: %s", path, a.body)
		}
	}
}

func TestProceduresByMediaType(t *testing.T) {
	r := newRig(t, Options{})
	for media, want := range map[string]string{
		"pkcs10": `[{"procid":"p-pkcs10","name":"PKCS#10 Procedure"},{"procid":"p-pkcs10-leaf","name":"PKCS#10 Leaf Procedure"}]`,
		"pkcs12": `[{"procid":"p-pkcs12","name":"PKCS#12 Procedure"}]`, "attributecertificate": `[{"procid":"p-attr","name":"Attribute Certificate Procedure"}]`,
		"smartcard": `[]`, "data": `[]`,
	} {
		if got := string(r.get("/procedures?mediaType=" + media).body); got != `{"error":0,"msg":"done","procedures":`+want+"}\n" {
			t.Errorf("%s: %s", media, got)
		}
	}
	if a := r.get("/procedures?mediaType=x"); a.code() != codeBadValue {
		t.Errorf("%s", a.body)
	}
}

// JSON operations need no more than curl, jq and openssl either.
func TestStrangersRegistration(t *testing.T) {
	r := newRig(t, Options{})
	script := `set -eu
cd "$CMSANDBOX_DIR"
api=$(cat url)
call() { curl -sS --cacert ca.pem --cert officer.pem --key officer.key "$@"; }
json() { call -X "$1" -H 'Content-Type: application/json' -d @body "$api/$2"; }
signature() { jq -r .dataToSign | base64 -d > tbs
  openssl cms -sign -binary -nodetach -outform DER -in tbs -signer officer.pem -inkey officer.key | base64 -w0 > signature; }
change() { json "$1" "$2" | signature; jq --rawfile s signature '. + {signature: $s}' body > signed; mv signed body; json "$1" "$2"; }
echo '{"fqdn":"printer.example.com","password":"s3cret","validity":"7"}' > body
id=$(change POST registrations/p-scep/scep | jq -r .registration.regid)
jq -n --arg id "$id" '{regid: $id, status: "closed"}' > body
change PUT registrations/p-scep/scep > answer
call -G --data-urlencode "regid=$id" "$api/registrations/p-scep" | jq -r '.registrations[] | .fqdn + " " + .status'
jq -n --arg c "$(sed -n '/^-----BEGIN/,/^-----END/{/^-----/!p}' foreign.pem | tr -d '\n')" '{importdata: [{certificate: $c, reason: 1}]}' > body
change POST certificates/import-pki-x509
call "$api/certificates?subjectCommonName=Foreign%20Device" | jq -r '.certificates[] | .status + " " + .reason'
`
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), Environment(r.Dir)...)
	out, err := cmd.CombinedOutput()
	if want := "printer.example.com closed\n{\"error\":0,\"msg\":\"done\"}\nrevoked 1\n"; err != nil || string(out) != want {
		t.Errorf("%v\n%s, want\n%s", err, out, want)
	}
}
