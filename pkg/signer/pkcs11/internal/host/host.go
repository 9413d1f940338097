//go:build cgo

// Package host is a PKCS#11 module in this very process, called by cgo. A
// module may hang, crash or write where it likes, so only the child process of
// package child and tests load one.
package host

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/miekg/pkcs11"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// Supported tells whether this build can load modules.
const Supported = true

type module struct {
	ctx    *pkcs11.Ctx
	serial *sync.Mutex // of a module that does no locking of its own; else nil
	signing
	closed sync.Once
}

// Load loads a module and initialises it.
func Load(_ context.Context, spec p11.Spec) (p11.Module, error) {
	c := pkcs11.New(spec.Path)
	if c == nil {
		return nil, &p11.LoadError{Reason: whyNot(spec.Path)}
	}
	m := &module{ctx: c}
	var options []pkcs11.InitializeOption
	if spec.Reserved != "" {
		// Never freed: the module may keep the pointer.
		options = append(options, pkcs11.InitializeWithReserved(unsafe.Pointer(cString(spec.Reserved))))
	}
	err := convert(c.Initialize(options...))
	if p11.Code(err) == p11.CantLock {
		m.serial = &sync.Mutex{}
		err = convert(c.Initialize(append(options, pkcs11.InitializeWithFlags(0))...))
	}
	if err != nil && p11.Code(err) != p11.AlreadyInitialized {
		c.Destroy()
		return nil, err
	}
	m.open(spec.Path)
	return m, nil
}

// lock is for modules that cannot lock: one call at a time.
func (m *module) lock() func() {
	if m.serial == nil {
		return func() {}
	}
	m.serial.Lock()
	return m.serial.Unlock
}

func convert(err error) error {
	var e pkcs11.Error
	if errors.As(err, &e) {
		return p11.RV(e)
	}
	return err
}

func (m *module) Info(context.Context) (p11.Info, error) {
	defer m.lock()()
	i, err := m.ctx.GetInfo()
	return p11.Info{
		Description: text(i.LibraryDescription), Manufacturer: text(i.ManufacturerID),
		Major: i.LibraryVersion.Major, Minor: i.LibraryVersion.Minor,
	}, convert(err)
}

// text trims what modules pad with: blanks, and NUL bytes against the
// standard. NUL bytes inside stay.
func text(s string) string { return strings.TrimRight(s, " \x00") }

func (m *module) Slots(context.Context) ([]p11.Slot, error) {
	defer m.lock()()
	ids, err := m.ctx.GetSlotList(true)
	if err != nil {
		return nil, convert(err)
	}
	slots := make([]p11.Slot, 0, len(ids))
	for _, id := range ids {
		s := p11.Slot{ID: uint64(id)}
		if i, err := m.ctx.GetSlotInfo(id); err == nil {
			s.Description, s.Manufacturer = text(i.SlotDescription), text(i.ManufacturerID)
			s.Removable = i.Flags&pkcs11.CKF_REMOVABLE_DEVICE != 0
		}
		if s.Token, err = m.token(id); err != nil {
			if s.Fault = p11.Code(err); s.Fault == 0 {
				s.Fault = p11.GeneralError
			}
		}
		slots = append(slots, s)
	}
	return slots, nil
}

func (m *module) Token(_ context.Context, slot uint64) (p11.Token, error) {
	defer m.lock()()
	return m.token(uint(slot))
}

func (m *module) token(slot uint) (p11.Token, error) {
	i, err := m.ctx.GetTokenInfo(slot)
	t := p11.Token{
		Label: text(i.Label), Manufacturer: text(i.ManufacturerID), Model: text(i.Model), Serial: text(i.SerialNumber),
		Flags: p11.Flags(i.Flags), MaxSessions: uint64(i.MaxSessionCount),
		MinPIN: uint64(i.MinPinLen), MaxPIN: uint64(i.MaxPinLen),
	}
	if i.MaxSessionCount == ^uint(0) { // CK_UNAVAILABLE_INFORMATION
		t.MaxSessions = 0
	}
	return t, convert(err)
}

func (m *module) Mechanisms(_ context.Context, slot uint64) ([]uint64, error) {
	defer m.lock()()
	list, err := m.ctx.GetMechanismList(uint(slot))
	if err != nil {
		return nil, convert(err)
	}
	var out []uint64
	for _, mech := range list {
		t := uint64(mech.Mechanism)
		if !slices.Contains(p11.Signing(), t) {
			continue
		}
		// Some are there for encryption only. A module that does not tell is
		// believed to sign.
		info, err := m.ctx.GetMechanismInfo(uint(slot), []*pkcs11.Mechanism{mech})
		if err == nil && info.Flags != 0 && info.Flags&pkcs11.CKF_SIGN == 0 {
			continue
		}
		out = append(out, t)
	}
	return out, nil
}

func (m *module) OpenSession(_ context.Context, slot uint64) (p11.Session, error) {
	defer m.lock()()
	s, err := m.ctx.OpenSession(uint(slot), pkcs11.CKF_SERIAL_SESSION)
	return p11.Session(s), convert(err)
}

func (m *module) CloseSession(_ context.Context, s p11.Session) error {
	defer m.lock()()
	return convert(m.ctx.CloseSession(pkcs11.SessionHandle(s)))
}

// errEmptyPIN is a guard behind all others: an empty PIN counts as a try on
// some tokens.
var errEmptyPIN = errors.New("an empty PIN is never tried")

func (m *module) login(s p11.Session, user uint, pin []byte) error {
	if pin != nil && len(pin) == 0 {
		return errEmptyPIN
	}
	return convert(m.ctx.Login(pkcs11.SessionHandle(s), user, string(pin)))
}

func (m *module) Login(_ context.Context, s p11.Session, pin []byte) error {
	defer m.lock()()
	return m.login(s, pkcs11.CKU_USER, pin)
}

func (m *module) Sign(_ context.Context, s p11.Session, r p11.SignRequest) ([]byte, error) {
	defer m.lock()()
	if r.PIN != nil && len(r.PIN) == 0 {
		return nil, errEmptyPIN
	}
	return m.sign(s, r)
}

// Close finalises the module.
func (m *module) Close() (err error) {
	m.closed.Do(func() {
		defer m.lock()()
		err = convert(m.ctx.Finalize())
		m.ctx.Destroy()
	})
	return err
}

// Objects reads certificates and keys. DATA and other objects are left alone.
func (m *module) Objects(_ context.Context, s p11.Session) ([]p11.Object, error) {
	defer m.lock()()
	var out []p11.Object
	for _, class := range []uint{p11.ClassCertificate, p11.ClassPublicKey, p11.ClassPrivateKey} {
		handles, err := m.find(pkcs11.SessionHandle(s), class)
		if err != nil {
			return nil, err
		}
		for _, h := range handles {
			r := reader{m.ctx, pkcs11.SessionHandle(s), h}
			o := p11.Object{Handle: p11.ObjectHandle(h), Class: uint64(class)}
			r.fill(&o)
			out = append(out, o)
		}
	}
	return out, nil
}

func (m *module) find(s pkcs11.SessionHandle, class uint) (all []pkcs11.ObjectHandle, err error) {
	if err := m.ctx.FindObjectsInit(s, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}); err != nil {
		return nil, convert(err)
	}
	for {
		some, _, err := m.ctx.FindObjects(s, 64)
		if err != nil {
			_ = m.ctx.FindObjectsFinal(s)
			return nil, convert(err)
		}
		if len(some) == 0 {
			return all, convert(m.ctx.FindObjectsFinal(s))
		}
		all = append(all, some...)
	}
}

// reader reads attributes of one object.
type reader struct {
	ctx *pkcs11.Ctx
	s   pkcs11.SessionHandle
	h   pkcs11.ObjectHandle
}

// get reads several attributes in one call, or one by one where the module
// lacks some: one that is missing is nil.
func (r reader) get(types ...uint) [][]byte {
	ask := func(types []uint) ([]*pkcs11.Attribute, error) {
		template := make([]*pkcs11.Attribute, len(types))
		for i, t := range types {
			template[i] = &pkcs11.Attribute{Type: t}
		}
		return r.ctx.GetAttributeValue(r.s, r.h, template)
	}
	values := make([][]byte, len(types))
	if got, err := ask(types); err == nil && len(got) == len(types) {
		for i, a := range got {
			values[i] = a.Value
		}
		return values
	}
	for i, t := range types {
		if got, err := ask([]uint{t}); err == nil && len(got) == 1 {
			values[i] = got[0].Value
		}
	}
	return values
}

func (r reader) fill(o *p11.Object) {
	var v [][]byte
	switch o.Class {
	case p11.ClassCertificate:
		v = r.get(pkcs11.CKA_ID, pkcs11.CKA_LABEL, pkcs11.CKA_VALUE)
		o.Value = v[2]
	case p11.ClassPublicKey:
		v = r.get(pkcs11.CKA_ID, pkcs11.CKA_LABEL, pkcs11.CKA_KEY_TYPE)
		o.KeyType = number(v[2])
	default:
		v = r.get(pkcs11.CKA_ID, pkcs11.CKA_LABEL, pkcs11.CKA_KEY_TYPE, pkcs11.CKA_SIGN, pkcs11.CKA_PRIVATE)
		o.KeyType, o.Sign, o.Private = number(v[2]), boolean(v[3]), boolean(v[4])
		o.AlwaysAuth = boolean(r.get(pkcs11.CKA_ALWAYS_AUTHENTICATE)[0])
		o.Mechanisms = numbers(r.get(pkcs11.CKA_ALLOWED_MECHANISMS)[0])
	}
	o.ID, o.Label = v[0], text(string(v[1]))
	switch {
	case o.KeyType == nil:
	case *o.KeyType == p11.KeyRSA:
		v := r.get(pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT)
		o.Modulus, o.Exponent = v[0], v[1]
	case *o.KeyType == p11.KeyEC:
		o.ECParams = r.get(pkcs11.CKA_EC_PARAMS)[0]
		o.ECPoint = r.get(pkcs11.CKA_EC_POINT)[0] // of a private key: only some have it
	}
}

func boolean(v []byte) *bool {
	if len(v) == 0 {
		return nil
	}
	b := v[0] != 0
	return &b
}

// numbers reads an array of CK_ULONG, which has the machine's size and order.
func numbers(v []byte) (out []uint64) {
	size := ulongSize
	if len(v)%size != 0 {
		return nil
	}
	for ; len(v) > 0; v = v[size:] {
		if size == 4 {
			out = append(out, uint64(binary.NativeEndian.Uint32(v)))
		} else {
			out = append(out, binary.NativeEndian.Uint64(v))
		}
	}
	return out
}

func number(v []byte) *uint64 {
	n := numbers(v)
	if len(n) != 1 {
		return nil
	}
	return &n[0]
}
