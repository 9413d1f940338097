package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// word is the argument that makes the program a child: the number of lanes
// follows it.
const word = "pkcs11-module-host"

// willing is set by Serve: a program that does not ask there whether it is a
// child must never start itself again, since it would do its own work twice.
var willing atomic.Bool

// Serve is the child's main, when these are a child's arguments. It returns
// when the parent is gone or done.
func Serve(args []string, load p11.Loader) (served bool) {
	willing.Store(true)
	if len(args) != 2 || args[0] != word {
		return false
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 1 || n > maxLanes {
		return false
	}
	lanes, life, err := inherited(n)
	if err != nil {
		return true
	}
	ignoreSignals()
	s := &server{load: load, done: make(chan struct{})}
	for _, l := range lanes {
		go func() {
			s.serve(l)
			s.end() // a lane is cut only when the parent is gone; not deferred, since a crash is no end
		}()
	}
	if life != nil {
		go func() {
			_, _ = io.Copy(io.Discard, life)
			s.end()
		}()
	}
	<-s.done
	return true
}

// server is one module and those who call it.
type server struct {
	load p11.Loader

	mu     sync.Mutex
	module p11.Module

	once sync.Once
	done chan struct{}
}

// end lets the process go, whatever calls still hang in the module.
func (s *server) end() { s.once.Do(func() { close(s.done) }) }

// pipe is a lane's end.
type pipe struct {
	io.Reader
	io.Writer
	fd uintptr // of a socket that blocks; 0: it is none
}

// laner is a module that answers requests for signatures by itself.
type laner interface {
	Lane(fd uintptr) (next func() (frame []byte, err error), ok bool)
}

// next gives the requests of a lane.
func (s *server) next(l pipe) func() (op byte, payload []byte, err error) {
	r := bufio.NewReaderSize(l, 4<<10)
	var fast func() ([]byte, error)
	return func() (byte, []byte, error) {
		m, _ := s.current()
		if m, ok := m.(laner); ok && fast == nil && l.fd != 0 && r.Buffered() == 0 {
			fast, _ = m.Lane(l.fd)
		}
		if fast == nil {
			return readFrame(r)
		}
		frame, err := fast()
		if err != nil {
			return 0, nil, err
		}
		return frame[4], frame[5:], nil
	}
}

func (s *server) serve(l pipe) {
	next := s.next(l)
	var out []byte
	for {
		op, payload, err := next()
		if err != nil {
			return
		}
		answer, err := s.answer(op, payload)
		clear(payload) // there may be a PIN in it
		kind := answerOK
		if err != nil {
			kind, answer = answerError, encodeError(err)
		}
		out = appendFrame(out[:0], kind, answer)
		if _, err := l.Write(out); err != nil || op == opEnd {
			return
		}
	}
}

var errNotLoaded = errors.New("no module is loaded")

func (s *server) current() (p11.Module, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.module == nil {
		return nil, errNotLoaded
	}
	return s.module, nil
}

func (s *server) answer(op byte, payload []byte) ([]byte, error) {
	ctx := context.Background() // the parent's deadline is the end of this process
	if op == opLoad {
		return nil, s.start(ctx, payload)
	}
	m, err := s.current()
	if err != nil {
		return nil, err
	}
	if op == opSign {
		session, r, err := decodeSign(payload)
		if err != nil {
			return nil, err
		}
		return m.Sign(ctx, session, r)
	}
	result, err := call(ctx, m, op, payload)
	if err != nil || result == nil {
		return nil, err
	}
	return json.Marshal(result)
}

func (s *server) start(ctx context.Context, payload []byte) error {
	var spec p11.Spec
	if err := unmarshal(opLoad, payload, &spec); err != nil {
		return err
	}
	m, err := s.load(ctx, spec)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.module = m
	s.mu.Unlock()
	return nil
}

// call is every call but those of opLoad and opSign.
func call(ctx context.Context, m p11.Module, op byte, payload []byte) (any, error) {
	var slot slotRequest
	var session sessionRequest
	switch op {
	case opToken, opMechanisms, opOpen:
		if err := unmarshal(op, payload, &slot); err != nil {
			return nil, err
		}
	case opClose, opObjects:
		if err := unmarshal(op, payload, &session); err != nil {
			return nil, err
		}
	}
	switch op {
	case opInfo:
		return m.Info(ctx)
	case opSlots:
		return m.Slots(ctx)
	case opToken:
		return m.Token(ctx, slot.Slot)
	case opMechanisms:
		return m.Mechanisms(ctx, slot.Slot)
	case opOpen:
		return m.OpenSession(ctx, slot.Slot)
	case opClose:
		return nil, m.CloseSession(ctx, session.Session)
	case opObjects:
		return m.Objects(ctx, session.Session)
	case opLogin:
		var r loginRequest
		if err := unmarshal(op, payload, &r); err != nil {
			return nil, err
		}
		defer clear(r.PIN)
		return nil, m.Login(ctx, r.Session, r.PIN)
	case opEnd:
		return nil, m.Close()
	}
	return nil, errFrame
}
