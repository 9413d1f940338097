package cmapi_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/pki"
)

// officerKey stands for what signs: pkg/signer and pkg/cms make a real one
// from a key file or a token.
type officerKey struct{}

func (officerKey) SignCMS(_ context.Context, dataToSign []byte) ([]byte, error) {
	return []byte("CMS SignedData over " + string(dataToSign)), nil
}

// A program of its own: search for a certificate, revoke it, and tell what the
// gateway said of each. The gateway here is a stand-in.
func Example() {
	gateway := httptest.NewTLSServer(http.HandlerFunc(standIn))
	defer gateway.Close()

	ctx := context.Background()
	client, err := cmapi.New(cmapi.Config{
		BaseURL: gateway.URL + "/pgwy/api",
		RootCAs: gateway.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
		Certificate: func(context.Context) (*tls.Certificate, error) {
			return &tls.Certificate{}, nil // the officer's, from tls.LoadX509KeyPair or a token
		},
		Signer: officerKey{},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	page, err := client.Certificates.List(ctx, cmapi.CertificateFilter{SubjectCommonName: "Demo User", IsNotRevoked: true}, 500, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	var ids []string
	for _, c := range page.Certificates {
		fmt.Println(c.CertID, c.Subject, "valid to", pki.FormatTime(c.ValidTo))
		ids = append(ids, c.CertID)
	}

	err = client.Certificates.Revoke(ctx, ids, pki.Superseded)
	var failed *cmapi.Error
	if errors.As(err, &failed) {
		for _, item := range failed.Items {
			fmt.Println(item.CertID, item.Error())
		}
	}
	// Output:
	// 20001 Demo User, Demo, SE valid to 2027-01-15T08:00:00Z
	// 20002 Demo User, Demo, SE valid to 2027-01-15T08:00:00Z
	// 20002 not visible from domain (909)
}

// A write in two phases: the request that waits for its signature is a value,
// which encoding/json stores, and another process may send it.
func ExampleClient_Prepare() {
	gateway := httptest.NewTLSServer(http.HandlerFunc(standIn))
	defer gateway.Close()
	client, err := cmapi.New(cmapi.Config{
		BaseURL: gateway.URL + "/pgwy/api",
		RootCAs: gateway.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	ctx := context.Background()
	prepared, done, err := client.Prepare(ctx, cmapi.NewRevoke([]string{"20001"}, pki.KeyCompromise))
	switch {
	case err != nil:
		fmt.Println(err)
		return
	case done != nil:
		fmt.Println("the gateway signed it itself")
		return
	}
	fmt.Printf("to sign: %q\n", prepared.DataToSign)

	signature, err := officerKey{}.SignCMS(ctx, prepared.DataToSign)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := client.Submit(ctx, prepared, signature); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("done")
	// Output:
	// to sign: "revoke"
	// done
}

// standIn answers as a gateway would that knows two certificates and does not
// let this officer see one of them.
func standIn(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method == http.MethodGet:
		fmt.Fprint(w, `{"error":0,"searchHits":2,"certificates":[`+
			`{"certid":"20001","subject":"Demo User, Demo, SE","validto":1800000000000,"status":"active"},`+
			`{"certid":"20002","subject":"Demo User, Demo, SE","validto":1800000000000,"status":"active"}]}`)
	case !strings.Contains(string(body), "signature="):
		fmt.Fprint(w, `{"error":-19,"msg":"sign and resend","dataToSign":"cmV2b2tl"}`)
	case strings.Contains(string(body), "certid=20002"):
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"error":-1,"errors":[{"certid":"20002","errorcode":909}]}`)
	default:
		fmt.Fprint(w, `{"error":0,"msg":"done"}`)
	}
}
