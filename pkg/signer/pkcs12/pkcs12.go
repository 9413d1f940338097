// Package pkcs12 opens PKCS#12 files: those of OpenSSL 3, of older tools (RC2,
// 3DES), of Java's keytool and of GnuTLS.
//
// The outline of such a file can be read without its password. What the
// library cannot open is found there and named, with the openssl line that
// repacks the file, before an officer is asked for anything.
package pkcs12

import (
	"crypto"
	"crypto/x509"
	"errors"
	"unicode/utf8"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/signer/internal/pbe"
)

// ErrWrongPassword is returned by File.Open.
var ErrWrongPassword = errors.New("the password is wrong")

// File is a PKCS#12 file that the library can open.
type File struct {
	name string
	der  []byte
}

// Read checks the outline of the file. name is for messages.
func Read(name string, data []byte) (*File, error) {
	pieces, err := pki.Split(data)
	if err != nil || len(pieces) != 1 {
		return nil, exit.New(exit.Key, "", "the PKCS#12 file %s is damaged", name)
	}
	der := pieces[0].DER
	o, err := readOutline(der)
	if err != nil {
		return nil, exit.New(exit.Key, "", "the PKCS#12 file %s cannot be read: %w", name, err)
	}
	if cause := o.unsupported(); cause != "" {
		return nil, unsupported(name, cause, o)
	}
	return &File{name, der}, nil
}

// unsupported points to an encrypted PEM file, which holds all that is in the
// PKCS#12 file: openssl pkcs12 -export does not read what it exports from a
// pipe, and a plain key must not lie around between two commands.
func unsupported(name, cause string, o outline) error {
	line := "openssl pkcs12 -aes256"
	if o.legacy {
		line += " -legacy"
	}
	if !o.mac {
		line += " -nomacver"
	}
	line += " -in " + pbe.Quote(name) + " -out " + pbe.Quote(pbe.NewName(name, ".pem"))
	if o.keys > 1 {
		line += " (then leave only the officer's private key in it)"
	}
	return exit.New(exit.Key, "repack it: "+line, "the PKCS#12 file %s has %s, which is not supported", name, cause)
}

// Open tries the password once and returns the key and every certificate, in
// the order of the file.
func (f *File) Open(password []byte) (crypto.PrivateKey, []*x509.Certificate, error) {
	if len(password) == 0 {
		return nil, nil, ErrWrongPassword
	}
	if !utf8.Valid(password) {
		return nil, nil, exit.New(exit.Key, "save the file it comes from as UTF-8", "the password for %s is not UTF-8 text", f.name)
	}
	key, leaf, chain, err := pkcs12.DecodeChain(f.der, string(password))
	switch {
	case err == nil:
		return key, append([]*x509.Certificate{leaf}, chain...), nil
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, nil, ErrWrongPassword
	}
	// The library has no error values for these.
	switch err.Error() {
	case "pkcs12: certificate missing":
		return nil, nil, exit.New(exit.Key, "export it again with its certificate", "the PKCS#12 file %s holds no certificate", f.name)
	case "pkcs12: private key missing":
		return nil, nil, exit.New(exit.Key, "export the officer's key and certificate together; a trust store is not enough", "the PKCS#12 file %s holds no private key", f.name)
	case "pkcs12: expected exactly one key bag":
		return nil, nil, unsupported(f.name, "several private keys", outline{mac: true, keys: 2})
	}
	return nil, nil, exit.New(exit.Key, "", "the PKCS#12 file %s cannot be opened: %w", f.name, err)
}
