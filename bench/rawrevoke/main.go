// Command rawrevoke is the yardstick for mass revocation: what is left when
// nothing is thought of but the post. It reads certids, fetches what is to be
// signed for all batches and signs it, and then measures how long workers take
// to post the signed requests: no journal, no read-back, no second thought
// about an answer. It prints microseconds.
package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/cms"
	"github.com/cmctl/cmctl/pkg/pki"
)

func main() {
	workers := flag.Int("workers", 4, "posts under way at a time")
	batch := flag.Int("batch", 100, "certificates a request")
	http1 := flag.Bool("http1", false, "a connection for each worker, by HTTP/1.1")
	flag.Parse()
	dir := os.Getenv("CMSANDBOX_DIR")
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "officer.pem"), filepath.Join(dir, "officer.key"))
	check(err)
	base := strings.TrimSpace(string(read(filepath.Join(dir, "url"))))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(read(filepath.Join(dir, "ca.pem")))
	all, err := io.ReadAll(os.Stdin)
	check(err)

	bodies := sign(base, roots, pair, slices.Collect(slices.Chunk(strings.Fields(string(all)), *batch)))
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots},
		ForceAttemptHTTP2: !*http1, MaxIdleConnsPerHost: *workers,
	}
	if *http1 {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP1(true)
	}
	client := &http.Client{Transport: transport}

	start := time.Now()
	var g errgroup.Group
	queue := make(chan []byte, len(bodies))
	for _, b := range bodies {
		queue <- b
	}
	close(queue)
	for range *workers {
		g.Go(func() error {
			for body := range queue {
				resp, err := client.Post(base+"/certificates/revoke", "application/x-www-form-urlencoded", bytes.NewReader(body))
				if err != nil {
					return err
				}
				answer, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err == nil && resp.StatusCode != http.StatusOK {
					err = fmt.Errorf("%s: %s", resp.Status, answer)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	check(g.Wait())
	fmt.Println(time.Since(start).Microseconds())
}

// sign makes the signed request of every batch.
func sign(base string, roots *x509.CertPool, pair tls.Certificate, batches [][]string) [][]byte {
	chain := make([]*x509.Certificate, len(pair.Certificate))
	for i, der := range pair.Certificate {
		var err error
		chain[i], err = x509.ParseCertificate(der)
		check(err)
	}
	signer, err := cms.NewSigner(pair.PrivateKey.(crypto.Signer), chain[0], chain[1:], crypto.SHA256)
	check(err)
	client, err := cmapi.New(cmapi.Config{
		BaseURL: base, RootCAs: roots, Signer: signer,
		Certificate: func(context.Context) (*tls.Certificate, error) { return &pair, nil },
	})
	check(err)
	ctx := context.Background()
	bodies := make([][]byte, len(batches))
	var g errgroup.Group
	g.SetLimit(4)
	for i, ids := range batches {
		g.Go(func() error {
			p, _, err := client.Prepare(ctx, cmapi.NewRevoke(ids, pki.Superseded))
			if err != nil {
				return err
			}
			signature, err := signer.SignCMS(ctx, p.DataToSign)
			bodies[i] = p.Request.WithSignature(signature).Body
			return err
		})
	}
	check(g.Wait())
	return bodies
}

func read(name string) []byte {
	data, err := os.ReadFile(name)
	check(err)
	return data
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "rawrevoke:", err)
		os.Exit(1)
	}
}
