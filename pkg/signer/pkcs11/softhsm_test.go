//go:build cgo

package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	miekg "github.com/miekg/pkcs11"
)

// softHSM is where Debian, Fedora and others put it.
func softHSM(t testing.TB) string {
	t.Helper()
	for _, p := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	t.Fatal("SoftHSM 2 is not installed: apt-get install softhsm2")
	return ""
}

// key is a key pair to make on a token, with its certificate.
type testKey struct {
	typ        string // rsa2048, rsa3072, rsa4096, p256, p384, p521
	id         []byte
	label      string
	cn         string // of the certificate; empty: none
	certID     []byte // nil: id
	certLabel  string
	always     bool
	noPublic   bool
	noSign     bool
	notPrivate bool
	hiddenCert bool
	mechanisms []uint
}

// hsm is a SoftHSM in a temporary folder.
type hsm struct {
	t      testing.TB
	module string
	dir    string
	ctx    *miekg.Ctx
}

func newHSM(t testing.TB) *hsm {
	t.Helper()
	h := &hsm{t: t, module: softHSM(t), dir: t.TempDir()}
	conf := filepath.Join(h.dir, "softhsm2.conf")
	tokens := filepath.Join(h.dir, "tokens")
	h.must(os.Mkdir(tokens, 0o700))
	h.must(os.WriteFile(conf, []byte("directories.tokendir = "+tokens+"\nobjectstore.backend = file\nlog.level = ERROR\nslots.mechanisms = ALL\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", conf)
	return h
}

func (h *hsm) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// token makes a token with keys. The module is loaded into this process for
// that, and let go.
func (h *hsm) token(label string, keys ...testKey) {
	h.t.Helper()
	h.ctx = miekg.New(h.module)
	if h.ctx == nil {
		h.t.Fatal("SoftHSM cannot be loaded")
	}
	h.must(h.ctx.Initialize())
	defer func() {
		h.must(h.ctx.Finalize())
		h.ctx.Destroy()
	}()
	slots, err := h.ctx.GetSlotList(false)
	h.must(err)
	h.must(h.ctx.InitToken(slots[len(slots)-1], "87654321", label))
	slot := h.slot(label)
	s, err := h.ctx.OpenSession(slot, miekg.CKF_SERIAL_SESSION|miekg.CKF_RW_SESSION)
	h.must(err)
	h.must(h.ctx.Login(s, miekg.CKU_SO, "87654321"))
	h.must(h.ctx.InitPIN(s, testPIN))
	h.must(h.ctx.Logout(s))
	h.must(h.ctx.Login(s, miekg.CKU_USER, testPIN))
	for _, k := range keys {
		h.key(s, k)
	}
}

func (h *hsm) slot(label string) uint {
	h.t.Helper()
	slots, err := h.ctx.GetSlotList(true)
	h.must(err)
	for _, s := range slots {
		if info, err := h.ctx.GetTokenInfo(s); err == nil && info.Label == label {
			return s
		}
	}
	h.t.Fatalf("no token %s", label)
	return 0
}

func (h *hsm) key(s miekg.SessionHandle, k testKey) {
	h.t.Helper()
	pub := []*miekg.Attribute{
		miekg.NewAttribute(miekg.CKA_TOKEN, !k.noPublic), miekg.NewAttribute(miekg.CKA_PRIVATE, false),
		miekg.NewAttribute(miekg.CKA_VERIFY, true), miekg.NewAttribute(miekg.CKA_ID, k.id), miekg.NewAttribute(miekg.CKA_LABEL, k.label),
	}
	priv := []*miekg.Attribute{
		miekg.NewAttribute(miekg.CKA_TOKEN, true), miekg.NewAttribute(miekg.CKA_PRIVATE, !k.notPrivate), miekg.NewAttribute(miekg.CKA_SENSITIVE, true),
		miekg.NewAttribute(miekg.CKA_SIGN, !k.noSign), miekg.NewAttribute(miekg.CKA_ID, k.id), miekg.NewAttribute(miekg.CKA_LABEL, k.label),
		miekg.NewAttribute(miekg.CKA_ALWAYS_AUTHENTICATE, k.always),
	}
	if len(k.mechanisms) > 0 {
		var raw []byte
		for _, m := range k.mechanisms {
			raw = append(raw, miekg.NewAttribute(0, m).Value...)
		}
		priv = append(priv, miekg.NewAttribute(miekg.CKA_ALLOWED_MECHANISMS, raw))
	}
	mech := uint(miekg.CKM_RSA_PKCS_KEY_PAIR_GEN)
	switch k.typ {
	case "rsa1024", "rsa2048", "rsa3072", "rsa4096":
		var bits int
		_, err := fmt.Sscanf(k.typ, "rsa%d", &bits)
		h.must(err)
		pub = append(pub, miekg.NewAttribute(miekg.CKA_MODULUS_BITS, bits), miekg.NewAttribute(miekg.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	default:
		mech = miekg.CKM_EC_KEY_PAIR_GEN
		oid, err := asn1.Marshal(curves()[map[string]int{"p256": 0, "p384": 1, "p521": 2}[k.typ]].oid)
		h.must(err)
		pub = append(pub, miekg.NewAttribute(miekg.CKA_EC_PARAMS, oid))
	}
	hPub, hPriv, err := h.ctx.GenerateKeyPair(s, []*miekg.Mechanism{miekg.NewMechanism(mech, nil)}, pub, priv)
	h.must(err)
	if k.cn == "" {
		return
	}
	typ := miekg.CKA_MODULUS
	if mech == miekg.CKM_EC_KEY_PAIR_GEN {
		typ = miekg.CKA_EC_POINT
	}
	v, err := h.ctx.GetAttributeValue(s, hPub, []*miekg.Attribute{miekg.NewAttribute(uint(typ), nil)})
	h.must(err)
	var public crypto.PublicKey
	if typ == miekg.CKA_MODULUS {
		public = &rsa.PublicKey{N: new(big.Int).SetBytes(v[0].Value), E: 65537}
	} else {
		var point []byte
		_, err := asn1.Unmarshal(v[0].Value, &point)
		h.must(err)
		public, err = ecdsa.ParseUncompressedPublicKey(curves()[map[string]int{"p256": 0, "p384": 1, "p521": 2}[k.typ]].curve, point)
		h.must(err)
	}
	_ = hPriv
	der := certificate(h.t, k.cn, public)
	id := k.certID
	if id == nil {
		id = k.id
	}
	_, err = h.ctx.CreateObject(s, []*miekg.Attribute{
		miekg.NewAttribute(miekg.CKA_CLASS, miekg.CKO_CERTIFICATE), miekg.NewAttribute(miekg.CKA_CERTIFICATE_TYPE, miekg.CKC_X_509),
		miekg.NewAttribute(miekg.CKA_TOKEN, true), miekg.NewAttribute(miekg.CKA_PRIVATE, k.hiddenCert),
		miekg.NewAttribute(miekg.CKA_ID, id), miekg.NewAttribute(miekg.CKA_LABEL, k.certLabel),
		miekg.NewAttribute(miekg.CKA_SUBJECT, []byte{0x30, 0}), miekg.NewAttribute(miekg.CKA_VALUE, der),
	})
	h.must(err)
}
