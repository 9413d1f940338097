//go:build cgo

package clitest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/pkcs11"
)

const haveTokens = true

// makeToken is the program make-token: see cmdToken. It is a process of its own
// because SoftHSM reads its configuration from the environment.
func makeToken(args []string) error {
	p := pkcs11.New(os.Getenv("SOFTHSM"))
	if p == nil {
		return fmt.Errorf("%s cannot be loaded", os.Getenv("SOFTHSM"))
	}
	defer p.Destroy()
	if err := p.Initialize(); err != nil {
		return err
	}
	defer func() { _ = p.Finalize() }()
	slots, err := p.GetSlotList(false)
	if err != nil {
		return err
	}
	label, slot := args[0], slots[len(slots)-1] // the last one is always empty
	const officer, pin = "87654321", "1234"
	if err := p.InitToken(slot, officer, label); err != nil {
		return err
	}
	s, err := p.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return err
	}
	if err := p.Login(s, pkcs11.CKU_SO, officer); err != nil {
		return err
	}
	if err := p.InitPIN(s, pin); err != nil {
		return err
	}
	if err := p.Logout(s); err != nil {
		return err
	}
	if err := p.Login(s, pkcs11.CKU_USER, pin); err != nil {
		return err
	}
	for i, spec := range args[1:] {
		k, err := parseKey(spec, i+1)
		if err == nil {
			err = k.put(p, s)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", spec, err)
		}
	}
	return nil
}

// tokenKey is a key to put on a token.
type tokenKey struct {
	name, kind           string
	id                   []byte
	label                string
	certID               []byte // of the certificate, where it is another
	always, nocert, open bool
	nopublic, ca         bool
	allow                uint
}

func parseKey(spec string, position int) (tokenKey, error) {
	parts := strings.Split(spec, ":")
	if len(parts) < 2 {
		return tokenKey{}, fmt.Errorf("want NAME:TYPE")
	}
	k := tokenKey{name: parts[0], kind: parts[1], id: []byte{byte(position)}, label: parts[0]}
	for _, o := range parts[2:] {
		name, value, _ := strings.Cut(o, "=")
		var err error
		switch name {
		case "id":
			k.id, err = hex.DecodeString(value)
		case "label":
			k.label = value
		case "certid":
			k.certID, err = hex.DecodeString(value)
		case "nopublic":
			k.nopublic = true
		case "ca":
			k.ca = true
		case "always":
			k.always = true
		case "nocert":
			k.nocert = true
		case "open":
			k.open = true
		case "allow":
			var n uint64
			n, err = strconv.ParseUint(value, 0, 32)
			k.allow = uint(n)
		default:
			err = fmt.Errorf("unknown option %s", o)
		}
		if err != nil {
			return k, err
		}
	}
	return k, nil
}

func (k tokenKey) put(p *pkcs11.Ctx, s pkcs11.SessionHandle) error {
	key, private, public, err := k.make()
	if err != nil {
		return err
	}
	der, err := k.certificate(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(k.name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return err
	}
	objects := [][]*pkcs11.Attribute{
		append(private, attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), attribute(pkcs11.CKA_SIGN, true), attribute(pkcs11.CKA_PRIVATE, !k.open),
			attribute(pkcs11.CKA_SENSITIVE, true), attribute(pkcs11.CKA_ALWAYS_AUTHENTICATE, k.always), attribute(pkcs11.CKA_ID, k.id)),
	}
	if k.allow != 0 {
		objects[0] = append(objects[0], attribute(pkcs11.CKA_ALLOWED_MECHANISMS, attribute(0, k.allow).Value))
	}
	if !k.nopublic {
		objects = append(objects, append(public, attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), attribute(pkcs11.CKA_VERIFY, true),
			attribute(pkcs11.CKA_PRIVATE, false), attribute(pkcs11.CKA_ID, k.id)))
	}
	if !k.nocert {
		subject, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		certID := k.id
		if k.certID != nil {
			certID = k.certID
		}
		objects = append(objects, []*pkcs11.Attribute{
			attribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE), attribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509), attribute(pkcs11.CKA_PRIVATE, false),
			attribute(pkcs11.CKA_SUBJECT, subject.RawSubject), attribute(pkcs11.CKA_VALUE, der),
			attribute(pkcs11.CKA_ID, certID),
		})
	}
	for _, o := range objects {
		o = append(o, attribute(pkcs11.CKA_TOKEN, true), attribute(pkcs11.CKA_LABEL, k.label))
		if _, err := p.CreateObject(s, o); err != nil {
			return err
		}
	}
	return nil
}

func attribute(typ uint, value any) *pkcs11.Attribute { return pkcs11.NewAttribute(typ, value) }

// make gives a new key and its attributes, private and public.
func (k tokenKey) make() (crypto.Signer, []*pkcs11.Attribute, []*pkcs11.Attribute, error) {
	if bits, ok := strings.CutPrefix(k.kind, "rsa"); ok {
		n, err := strconv.Atoi(bits)
		if err != nil {
			return nil, nil, nil, err
		}
		key, err := rsa.GenerateKey(rand.Reader, n)
		if err != nil {
			return nil, nil, nil, err
		}
		public := []*pkcs11.Attribute{
			attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA), attribute(pkcs11.CKA_MODULUS, key.N.Bytes()),
			attribute(pkcs11.CKA_PUBLIC_EXPONENT, big.NewInt(int64(key.E)).Bytes()),
		}
		return key, append(public[:3:3],
			attribute(pkcs11.CKA_PRIVATE_EXPONENT, key.D.Bytes()), attribute(pkcs11.CKA_PRIME_1, key.Primes[0].Bytes()), attribute(pkcs11.CKA_PRIME_2, key.Primes[1].Bytes()),
			attribute(pkcs11.CKA_EXPONENT_1, key.Precomputed.Dp.Bytes()), attribute(pkcs11.CKA_EXPONENT_2, key.Precomputed.Dq.Bytes()),
			attribute(pkcs11.CKA_COEFFICIENT, key.Precomputed.Qinv.Bytes())), public, nil
	}
	curves := map[string]struct {
		elliptic.Curve
		oid asn1.ObjectIdentifier
	}{
		"p256": {elliptic.P256(), asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}},
		"p384": {elliptic.P384(), asn1.ObjectIdentifier{1, 3, 132, 0, 34}},
		"p521": {elliptic.P521(), asn1.ObjectIdentifier{1, 3, 132, 0, 35}},
	}
	c, ok := curves[k.kind]
	if !ok {
		return nil, nil, nil, fmt.Errorf("unknown type of key")
	}
	key, err := ecdsa.GenerateKey(c.Curve, rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	params, err := asn1.Marshal(c.oid)
	if err != nil {
		return nil, nil, nil, err
	}
	scalar, err := key.Bytes()
	if err != nil {
		return nil, nil, nil, err
	}
	uncompressed, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, nil, nil, err
	}
	point, err := asn1.Marshal(uncompressed)
	if err != nil {
		return nil, nil, nil, err
	}
	both := []*pkcs11.Attribute{attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC), attribute(pkcs11.CKA_EC_PARAMS, params)}
	return key, append(both[:2:2], attribute(pkcs11.CKA_VALUE, scalar)), append(both[:2:2], attribute(pkcs11.CKA_EC_POINT, point)), nil
}

// certificate is the officer's, signed by the very key: --officer trusts it.
func (k tokenKey) certificate(key crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Country: []string{"SE"}, Organization: []string{"Demo"}, CommonName: "Officer " + k.name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		IsCA: k.ca, BasicConstraintsValid: k.ca,
	}
	return x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
}
