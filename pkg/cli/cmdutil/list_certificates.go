package cmdutil

import (
	"bytes"
	"crypto/x509"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

const certificateHint = "a certificate is wanted: PEM, DER or PKCS#7"

// certificate hands one out. Those of a CA and of end entities in one list are
// most likely chains: nobody means to revoke the CA along with its certificate.
func (l *List) certificate(r *reading, n int, c *x509.Certificate) error {
	if c.IsCA && r.ca == nil {
		r.ca = exit.Usagef("leave the CA certificates out, or name one by its certid", "%s: certificate %d is that of a CA, beside those of end entities: %s", l.name, n, pki.DN(c.RawSubject))
	}
	r.ee = r.ee || !c.IsCA
	if r.ca != nil && r.ee {
		return r.ca
	}
	e := l.entry(n)
	e.Input, e.Certificate = "certificate "+pki.SerialOf(c.SerialNumber).String(), c
	if len(c.Subject.Organization) > 0 {
		e.Organisation = c.Subject.Organization[0]
	}
	return r.emit(e)
}

func (l *List) readDER(in io.Reader, r *reading) error {
	data, err := io.ReadAll(io.LimitReader(in, maxBinary+1))
	switch {
	case err != nil:
		return exit.Usagef("", "%s: %w", l.name, err)
	case len(data) > maxBinary:
		return exit.Usagef("", "%s: longer than %d MiB", l.name, maxBinary>>20)
	}
	certs, err := pki.ReadCertificates(l.name, data)
	if err != nil {
		r.bad.hint = exit.HintOf(err)
		r.bad.add("", "%v", err)
		return nil
	}
	for i, c := range certs {
		if err := l.certificate(r, i+1, c); err != nil {
			return err
		}
	}
	return nil
}

// readPEM reads block by block. Text and keys between them are passed over; a
// block that does not end is an error, where encoding/pem would skip it.
func (l *List) readPEM(text *textReader, r *reading) error {
	var block []byte
	inside := false
	n, damaged, other := 0, 0, error(nil)
	end := func() error {
		pieces, err := pki.Split(block)
		if err != nil {
			damaged++
			r.wrong(l, n+damaged, certificateHint, "%v", err)
			return nil
		}
		if !slices.ContainsFunc(pieces, pki.Piece.HoldsCertificates) {
			_, other = pki.ReadCertificates(l.name, block) // words the error
			return nil
		}
		certs, err := pki.ReadCertificates("PEM block", block)
		if err != nil {
			damaged++
			r.wrong(l, n+damaged, certificateHint, "%v", err)
			return nil
		}
		for _, c := range certs {
			n++
			if err := l.certificate(r, n+damaged, c); err != nil {
				return err
			}
		}
		return nil
	}
	err := text.lines(func(_ int, line []byte) error {
		if begin := bytes.HasPrefix(line, []byte("-----BEGIN ")); begin && inside { // of the next, and this one has not ended
			if err := end(); err != nil {
				return err
			}
			block = block[:0]
		} else if begin {
			inside = true
		}
		if !inside {
			return nil
		}
		block = append(append(block, line...), '\n')
		if !bytes.HasPrefix(line, []byte("-----END ")) {
			return nil
		}
		err := end()
		inside, block = false, block[:0]
		return err
	})
	if err == nil && inside {
		err = end()
	}
	switch {
	case err != nil:
		return err
	case n+damaged == 0 && other != nil:
		r.bad.hint = exit.HintOf(other)
		r.bad.add("", "%v", other)
	}
	return nil
}

// certificateEndings are the files of a folder that are taken.
var certificateEndings = []string{".pem", ".crt", ".cer", ".der", ".p7b", ".p7c"}

// CertificateFiles are the files of a folder that may hold certificates, by
// name, in their order. What is left out is told.
func (f *Factory) CertificateFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, exit.Usagef("", "%w", err)
	}
	var names []string
	for _, e := range entries {
		st, err := os.Stat(filepath.Join(dir, e.Name()))
		isFile := err != nil || st.Mode().IsRegular() // why one cannot be read is told when it is; a pipe would be waited for
		if isFile && slices.Contains(certificateEndings, strings.ToLower(filepath.Ext(e.Name()))) {
			names = append(names, e.Name())
		}
	}
	const which = "of a folder, files ending in %s are read, no folders below it"
	switch left := len(entries) - len(names); {
	case len(names) == 0:
		return nil, exit.Usagef("", "%s: no certificate files; "+which, dir, strings.Join(certificateEndings, " "))
	case left > 0:
		f.Notice("%s: %d entries left out; "+which, dir, left, strings.Join(certificateEndings, " "))
	}
	return names, nil
}
