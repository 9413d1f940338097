// Package child runs a PKCS#11 module in a process of its own: the program
// starts itself again and talks to that child over pipes. A module that hangs
// is killed, one that crashes takes only the child with it, and what it prints
// or does to signals stays there.
//
// A lane is one pair of pipes. Requests that are sent over it together are
// answered in their order before the next are sent. As many calls run at once as
// there are lanes.
package child

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// The calls.
const (
	opLoad byte = iota + 1
	opInfo
	opSlots
	opToken
	opMechanisms
	opOpen
	opClose
	opLogin
	opObjects
	opSign
	opEnd
)

// What an answer starts with.
const (
	answerOK byte = iota
	answerError
)

// maxFrame bounds a request or an answer; a full HSM's objects have a few MB.
const maxFrame = 64 << 20

// A frame is its length (4 octets, big endian), one octet that says what it is
// and the rest.
func appendFrame(b []byte, kind byte, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)+1)) //nolint:gosec // bounded by what a module can give
	b = append(b, kind)
	return append(b, payload...)
}

var errFrame = errors.New("the answer is not understood")

func readFrame(r *bufio.Reader) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:4])
	if n == 0 || n > maxFrame {
		return 0, nil, errFrame
	}
	payload = make([]byte, n-1)
	_, err = io.ReadFull(r, payload)
	return head[4], payload, err
}

// slotRequest and the others are requests in JSON. PINs are octets, which JSON
// keeps as they are.
type (
	slotRequest    struct{ Slot uint64 }
	sessionRequest struct{ Session p11.Session }
	loginRequest   struct {
		Session p11.Session
		PIN     []byte
	}
	// failure is an error on its way: a return value, or words.
	failure struct {
		RV      p11.RV `json:",omitempty"`
		Load    string `json:",omitempty"`
		Text    string `json:",omitempty"`
		Context bool   `json:",omitempty"`
	}
)

func encodeError(err error) []byte {
	var f failure
	var context *p11.ContextError
	var load *p11.LoadError
	f.Context = errors.As(err, &context)
	switch {
	case errors.As(err, &load):
		f.Load = load.Reason
	case p11.Code(err) != 0:
		f.RV = p11.Code(err)
	default:
		f.Text = err.Error()
	}
	data, _ := json.Marshal(f)
	return data
}

func decodeError(data []byte) error {
	var f failure
	if err := json.Unmarshal(data, &f); err != nil {
		return errFrame
	}
	var err error
	switch {
	case f.Load != "":
		err = &p11.LoadError{Reason: f.Load}
	case f.RV != 0:
		err = f.RV
	default:
		err = errors.New(f.Text)
	}
	if f.Context {
		err = &p11.ContextError{Err: err}
	}
	return err
}

// Signatures are the calls that there are many of, so they have a form of
// their own: seven numbers, then PIN and data with their lengths.
func encodeSign(s p11.Session, r p11.SignRequest) []byte {
	b := make([]byte, 0, 9*8+len(r.PIN)+len(r.Data))
	u := func(n uint64) { b = binary.BigEndian.AppendUint64(b, n) }
	u(uint64(s))
	u(uint64(r.Key))
	u(r.Mechanism)
	pss := p11.PSS{}
	if r.PSS != nil {
		pss = *r.PSS
	}
	u(pss.Hash)
	u(pss.MGF)
	u(pss.Salt)
	var flags uint64
	for i, set := range []bool{r.PSS != nil, r.Context, r.PIN != nil} {
		if set {
			flags |= 1 << i
		}
	}
	u(flags)
	u(uint64(len(r.PIN)))
	b = append(b, r.PIN...)
	return append(b, r.Data...)
}

func decodeSign(b []byte) (s p11.Session, r p11.SignRequest, err error) {
	const head = 8 * 8
	if len(b) < head {
		return 0, r, errFrame
	}
	var n [8]uint64
	for i := range n {
		n[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	b = b[head:]
	if n[7] > uint64(len(b)) || n[7] > math.MaxInt32 {
		return 0, r, errFrame
	}
	r = p11.SignRequest{Key: p11.ObjectHandle(n[1]), Mechanism: n[2], Context: n[6]&2 != 0, Data: b[n[7]:]}
	if n[6]&1 != 0 {
		r.PSS = &p11.PSS{Hash: n[3], MGF: n[4], Salt: n[5]}
	}
	if n[6]&4 != 0 {
		r.PIN = b[:n[7]:n[7]]
	}
	return p11.Session(n[0]), r, nil
}

func unmarshal(op byte, data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("call %d: %w", op, errFrame)
	}
	return nil
}
