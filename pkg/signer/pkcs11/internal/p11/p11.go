// Package p11 is what cmctl needs of a PKCS#11 module, as an interface: the
// module in a child process (package child), the module itself (package host)
// and a fake in tests all are one. Numbers are those of PKCS#11 v2.40.
//
// Values are plain data, so that they travel between processes; what a module
// says is passed on as it is, odd or not.
package p11

import "context"

// Spec says which module to load and what it wants at its start.
type Spec struct {
	Path     string // a file, or a name that the system's loader finds
	Reserved string // pReserved of C_Initialize, as NSS wants it; mostly empty
}

// Module is a loaded and initialised module. Its methods may be called from
// several goroutines; those of one session only from one at a time.
type Module interface {
	Info(ctx context.Context) (Info, error)
	// Slots are those with a token.
	Slots(ctx context.Context) ([]Slot, error)
	// Token reads a token's state anew: its flags before a PIN is tried.
	Token(ctx context.Context, slot uint64) (Token, error)
	// Mechanisms are those that sign.
	Mechanisms(ctx context.Context, slot uint64) ([]uint64, error)
	// OpenSession opens one for reading: every token has those.
	OpenSession(ctx context.Context, slot uint64) (Session, error)
	CloseSession(ctx context.Context, s Session) error
	// Login is one C_Login as user. A nil PIN asks the officer for it on the
	// reader's keypad.
	Login(ctx context.Context, s Session, pin []byte) error
	// Objects are the certificates, public and private keys that the session
	// can see.
	Objects(ctx context.Context, s Session) ([]Object, error)
	Sign(ctx context.Context, s Session, r SignRequest) ([]byte, error)
	// Close ends the module and everything in it. A second Close does nothing.
	Close() error
}

// Loader loads a module.
type Loader func(ctx context.Context, spec Spec) (Module, error)

// Session is a number that the module gave out; 0 is one too.
type Session uint64

// ObjectHandle is a number that the module gave out; 0 is one too.
type ObjectHandle uint64

// Info is what a module says of itself.
type Info struct {
	Description  string
	Manufacturer string
	Major, Minor byte
}

// Slot is a reader, and the token in it.
type Slot struct {
	ID           uint64
	Description  string
	Manufacturer string
	Removable    bool
	Token        Token
	Fault        RV // the token could not be read: a blank card, an unknown one
}

// Token is what a token says of itself.
type Token struct {
	Label, Manufacturer, Model, Serial string
	Flags                              Flags
	MaxSessions                        uint64 // 0: not told
	MinPIN, MaxPIN                     uint64
}

// Flags of a token.
type Flags uint64

// The flags that count here.
const (
	WriteProtected Flags = 0x2
	LoginRequired  Flags = 0x4
	PINInitialized Flags = 0x8
	Keypad         Flags = 0x100
	Initialized    Flags = 0x400
	PINCountLow    Flags = 0x10000
	PINFinalTry    Flags = 0x20000
	PINLocked      Flags = 0x40000
	PINToBeChanged Flags = 0x80000
)

// Has tells whether all of want are set.
func (f Flags) Has(want Flags) bool { return f&want == want }

// Classes of objects.
const (
	ClassCertificate = 1
	ClassPublicKey   = 2
	ClassPrivateKey  = 3
)

// Types of keys.
const (
	KeyRSA = 0
	KeyEC  = 3
)

// Object is a certificate or a key, by its attributes. One that the module
// does not have or does not tell is nil.
type Object struct {
	Handle ObjectHandle
	Class  uint64
	ID     []byte
	Label  string

	Value []byte // certificate, DER

	KeyType           *uint64
	Modulus, Exponent []byte
	ECParams, ECPoint []byte
	Sign              *bool
	AlwaysAuth        *bool
	Private           *bool
	Mechanisms        []uint64 // CKA_ALLOWED_MECHANISMS; empty: all of the token's
}

// SignRequest is one signature: C_SignInit, C_Login as CKU_CONTEXT_SPECIFIC
// where the key wants that, C_Sign.
type SignRequest struct {
	Key       ObjectHandle
	Mechanism uint64
	PSS       *PSS
	Data      []byte
	Context   bool   // log in for this signature
	PIN       []byte // nil: on the keypad
}

// PSS are the parameters of RSA-PSS mechanisms.
type PSS struct{ Hash, MGF, Salt uint64 }

// Mechanisms.
const (
	RSAPKCS          = 0x1
	RSAX509          = 0x3
	RSAPKCSPSS       = 0xd
	SHA256RSAPKCS    = 0x40
	SHA384RSAPKCS    = 0x41
	SHA512RSAPKCS    = 0x42
	SHA256RSAPKCSPSS = 0x43
	SHA384RSAPKCSPSS = 0x44
	SHA512RSAPKCSPSS = 0x45
	SHA256           = 0x250
	SHA384           = 0x260
	SHA512           = 0x270
	ECDSA            = 0x1041
	ECDSASHA256      = 0x1044
	ECDSASHA384      = 0x1045
	ECDSASHA512      = 0x1046

	MGFSHA256 = 2
	MGFSHA384 = 3
	MGFSHA512 = 4
)

var signing = []uint64{
	RSAPKCS, RSAX509, RSAPKCSPSS, SHA256RSAPKCS, SHA384RSAPKCS, SHA512RSAPKCS, SHA256RSAPKCSPSS, SHA384RSAPKCSPSS,
	SHA512RSAPKCSPSS, ECDSA, ECDSASHA256, ECDSASHA384, ECDSASHA512,
}

// Signing are the mechanisms that Module.Mechanisms looks for.
func Signing() []uint64 { return append([]uint64(nil), signing...) }
