// Command rawloop is the yardstick for complete listings: what a Go program
// does that reads all pages by offset, four at a time, and prints what came,
// with no thought for caps, changes and odd answers.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

type page struct {
	Hits         int               `json:"searchHits"`
	Certificates []json.RawMessage `json:"certificates"`
}

func main() {
	dir := os.Getenv("CMSANDBOX_DIR")
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		check(err)
		return data
	}
	pair, err := tls.X509KeyPair(read("officer.pem"), read("officer.key"))
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(read("ca.pem"))
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4,
	}}
	url := strings.TrimSpace(string(read("url")))
	get := func(offset int) (p page) {
		resp, err := client.Get(fmt.Sprintf("%s/certificates?searchLimit=500&searchOffset=%d", url, offset))
		check(err)
		defer func() { _ = resp.Body.Close() }()
		check(json.NewDecoder(resp.Body).Decode(&p))
		return p
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	show := func(p page) {
		for _, c := range p.Certificates {
			_, _ = out.Write(append(c, '\n'))
		}
	}
	first := get(0)
	show(first)
	const workers = 4
	slots := make(chan chan page, workers-1)
	go func() {
		defer close(slots)
		for offset := 500; offset < first.Hits; offset += 500 {
			one := make(chan page, 1)
			slots <- one
			go func() { one <- get(offset) }()
		}
	}()
	for one := range slots {
		show(<-one)
	}
	check(out.Flush())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "rawloop:", err)
		os.Exit(1)
	}
}
