package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/signer/pkcs11/internal/p11"
)

// TestMain lets the test binary be the child; its modules are fakes whose path
// says how they behave.
func TestMain(m *testing.M) {
	if Serve(os.Args[1:], load) {
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type fake struct {
	p11.Module // nil: what is not overridden is not called
	how        string
}

func load(_ context.Context, spec p11.Spec) (p11.Module, error) {
	switch spec.Path {
	case "missing":
		return nil, &p11.LoadError{Reason: "no such file"}
	case "refuses":
		return nil, p11.ArgumentsBad
	case "hangs at load":
		select {}
	case "crashes at load":
		segfault(nil)
	}
	fmt.Println("loaded " + spec.Path + " " + spec.Reserved)
	return &fake{how: spec.Path}, nil
}

func segfault(p *int) { *p = 1 }

func (f *fake) Info(context.Context) (p11.Info, error) {
	return p11.Info{Description: "fake\x00" + os.Getenv("CMCTL_PIN"), Major: 3}, nil
}

func (f *fake) Slots(context.Context) ([]p11.Slot, error) {
	return []p11.Slot{{ID: 17, Token: p11.Token{Label: "a\x00b", Flags: p11.Keypad | p11.PINLocked}}, {Fault: p11.TokenNotRecognized}}, nil
}

func (f *fake) Token(_ context.Context, slot uint64) (p11.Token, error) {
	if slot != 17 {
		return p11.Token{}, p11.SlotIDInvalid
	}
	return p11.Token{Serial: "1", MaxPIN: 8}, nil
}

func (f *fake) Mechanisms(context.Context, uint64) ([]uint64, error) { return []uint64{1, 3}, nil }

func (f *fake) OpenSession(context.Context, uint64) (p11.Session, error) { return 1 << 63, nil }

func (f *fake) CloseSession(_ context.Context, s p11.Session) error {
	if s != 1<<63 {
		return p11.SessionHandleInvalid
	}
	return nil
}

func (f *fake) Login(_ context.Context, _ p11.Session, pin []byte) error {
	switch {
	case pin == nil:
		time.Sleep(300 * time.Millisecond) // somebody presses keys
		return p11.FunctionCanceled
	case !bytes.Equal(pin, []byte("12\xff4")):
		return p11.PINIncorrect
	}
	return nil
}

func (f *fake) Objects(context.Context, p11.Session) ([]p11.Object, error) {
	yes := true
	return []p11.Object{{Class: p11.ClassPrivateKey, ID: []byte{}, Label: "k", AlwaysAuth: &yes}, {Handle: 5, ID: nil}}, nil
}

func (f *fake) Sign(_ context.Context, s p11.Session, r p11.SignRequest) ([]byte, error) {
	switch f.how {
	case "hangs":
		select {}
	case "crashes":
		segfault(nil)
	case "exits":
		os.Exit(3)
	case "slow":
		time.Sleep(50 * time.Millisecond)
	}
	switch {
	case r.Context && r.PIN == nil:
		return nil, &p11.ContextError{Err: p11.PINIncorrect}
	case s != 1<<63:
		return nil, p11.SessionHandleInvalid
	case len(r.Data) == 0:
		return nil, errors.New("words")
	}
	return append([]byte(fmt.Sprint(s, r.Key, r.Mechanism, r.PSS != nil && *r.PSS == p11.PSS{Hash: 1, MGF: 2, Salt: 3}, string(r.PIN), " ")), r.Data...), nil
}

func (f *fake) Close() error {
	fmt.Println("closed")
	if f.how == "hangs at the end" {
		select {}
	}
	return nil
}

func start1(t *testing.T, how string, limit time.Duration, said func(string)) p11.Module {
	t.Helper()
	m, err := Loader(Limits{Call: limit}, said)(context.Background(), p11.Spec{Path: how, Reserved: "r"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestCalls(t *testing.T) {
	t.Setenv("CMCTL_PIN", "1234") // a module has no business to see it
	ctx := context.Background()
	m := start1(t, "good", 0, nil)
	yes := true
	for name, c := range map[string]struct {
		do   func() (any, error)
		want any
		err  error
	}{
		"info":           {func() (any, error) { return m.Info(ctx) }, p11.Info{Description: "fake\x00", Major: 3}, nil},
		"token":          {func() (any, error) { return m.Token(ctx, 17) }, p11.Token{Serial: "1", MaxPIN: 8}, nil},
		"no such slot":   {func() (any, error) { return m.Token(ctx, 18) }, p11.Token{}, p11.SlotIDInvalid},
		"mechanisms":     {func() (any, error) { return m.Mechanisms(ctx, 17) }, []uint64{1, 3}, nil},
		"session":        {func() (any, error) { return m.OpenSession(ctx, 17) }, p11.Session(1 << 63), nil},
		"close":          {func() (any, error) { return nil, m.CloseSession(ctx, 1<<63) }, nil, nil},
		"close another":  {func() (any, error) { return nil, m.CloseSession(ctx, 1) }, nil, p11.SessionHandleInvalid},
		"login":          {func() (any, error) { return nil, m.Login(ctx, 1, []byte("12\xff4")) }, nil, nil},
		"login, refused": {func() (any, error) { return nil, m.Login(ctx, 1, []byte("12")) }, nil, p11.PINIncorrect},
		"login, keypad":  {func() (any, error) { return nil, m.Login(ctx, 1, nil) }, nil, p11.FunctionCanceled},
		"slots": {func() (any, error) { return m.Slots(ctx) }, []p11.Slot{
			{ID: 17, Token: p11.Token{Label: "a\x00b", Flags: p11.Keypad | p11.PINLocked}}, {Fault: p11.TokenNotRecognized}}, nil},
		"objects": {func() (any, error) { return m.Objects(ctx, 1) }, []p11.Object{
			{Class: p11.ClassPrivateKey, ID: []byte{}, Label: "k", AlwaysAuth: &yes}, {Handle: 5}}, nil},
		"sign": {func() (any, error) {
			return m.Sign(ctx, 1<<63, p11.SignRequest{Key: 7, Mechanism: 13, PSS: &p11.PSS{Hash: 1, MGF: 2, Salt: 3}, Context: true, PIN: []byte("9753"), Data: []byte{0, 255}})
		}, []byte("9223372036854775808 7 13 true9753 \x00\xff"), nil},
		"sign, no session":        {func() (any, error) { return m.Sign(ctx, 1, p11.SignRequest{}) }, []byte(nil), p11.SessionHandleInvalid},
		"sign, refused on keypad": {func() (any, error) { return m.Sign(ctx, 1, p11.SignRequest{Context: true}) }, []byte(nil), &p11.ContextError{Err: p11.PINIncorrect}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.do()
			if !reflect.DeepEqual(got, c.want) || !reflect.DeepEqual(err, c.err) {
				t.Errorf("got %#v, %v; want %#v, %v", got, err, c.want, c.err)
			}
		})
	}
	if _, err := m.Sign(ctx, 1<<63, p11.SignRequest{}); err == nil || err.Error() != "words" {
		t.Errorf("an error in words came as %v", err)
	}
}

func TestLoadErrors(t *testing.T) {
	for how, want := range map[string]error{
		"missing":         &p11.LoadError{Reason: "no such file"},
		"refuses":         p11.ArgumentsBad,
		"hangs at load":   &p11.HungError{Call: "C_Initialize"},
		"crashes at load": &p11.EndedError{How: "it crashed (SIGSEGV)"},
	} {
		t.Run(how, func(t *testing.T) {
			_, err := Loader(Limits{Call: time.Second}, nil)(context.Background(), p11.Spec{Path: how})
			if !reflect.DeepEqual(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
}

// A module that hangs or crashes takes its child with it, at once and for all
// calls, and nothing else.
func TestEnds(t *testing.T) {
	for how, want := range map[string]error{
		"hangs":   &p11.HungError{Call: "C_Sign"},
		"crashes": &p11.EndedError{How: "it crashed (SIGSEGV)"},
		"exits":   &p11.EndedError{How: "its process ended with exit status 3"},
	} {
		t.Run(how, func(t *testing.T) {
			m := start1(t, how, 300*time.Millisecond, nil)
			var all sync.WaitGroup
			errs := make([]error, 3*maxLanes) // more than there are lanes
			for i := range errs {
				all.Go(func() { _, errs[i] = m.Sign(context.Background(), 1<<63, p11.SignRequest{Data: []byte{1}}) })
			}
			all.Wait()
			for _, err := range errs {
				if !reflect.DeepEqual(err, want) {
					t.Fatalf("got %v, want %v", err, want)
				}
			}
			if _, err := m.Info(context.Background()); !reflect.DeepEqual(err, want) {
				t.Errorf("a later call gives %v, want %v", err, want)
			}
			if m.(*Client).cmd.ProcessState == nil {
				t.Error("the child is still there")
			}
		})
	}
}

// Calls run at once, one on each lane.
func TestAtOnce(t *testing.T) {
	m := start1(t, "slow", 0, nil)
	var all sync.WaitGroup
	begin := time.Now()
	for range 4 * maxLanes {
		all.Go(func() {
			if _, err := m.Sign(context.Background(), 1<<63, p11.SignRequest{Data: []byte{1}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if took := time.Since(begin); took < 4*50*time.Millisecond || runtime.GOOS != "windows" && took > 16*50*time.Millisecond {
		t.Errorf("four rounds of 50 ms took %s", took)
	}
}

// Each has its own answer, also where requests go together, with other calls
// and failures among them.
func TestTogether(t *testing.T) {
	m := start1(t, "good", 0, nil)
	m.(*Client).pace.Store(0)
	var all sync.WaitGroup
	for i := range 4 * maxLanes {
		all.Go(func() {
			for k := range 200 {
				data := fmt.Appendf(nil, "%d of %d", k, i)
				s := p11.Session(1 << 63)
				if k%10 == 3 {
					s = 1
				}
				got, err := m.Sign(context.Background(), s, p11.SignRequest{Key: 7, Data: data})
				if s == 1 && err != p11.SessionHandleInvalid || s != 1 && (err != nil || !bytes.HasSuffix(got, append([]byte(" "), data...))) { //nolint:errorlint // as it was given
					t.Errorf("%s: got %q, %v", data, got, err)
				}
				if k%25 == 0 {
					if mechs, err := m.Mechanisms(context.Background(), 17); err != nil || len(mechs) != 2 {
						t.Errorf("got %v, %v", mechs, err)
					}
				}
			}
		})
	}
	all.Wait()
}

func TestCallEndsWithItsContext(t *testing.T) {
	m := start1(t, "good", 0, nil)
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("the officer pressed Ctrl-C")
	time.AfterFunc(50*time.Millisecond, func() { cancel(reason) })
	if err := m.Login(ctx, 1, nil); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
}

func TestWhatModulesSay(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	m := start1(t, "good", 0, func(line string) { mu.Lock(); lines = append(lines, line); mu.Unlock() })
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(lines, "|"); got != "loaded good r|closed" {
		t.Errorf("heard %q", got)
	}
	if err := m.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
	if _, err := m.Info(context.Background()); err == nil {
		t.Error("a closed module answers")
	}
}

func TestCloseDoesNotHang(t *testing.T) {
	m := start1(t, "hangs at the end", 0, nil)
	begin := time.Now()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 2*closing+time.Second {
		t.Errorf("it took %s", took)
	}
	if m.(*Client).cmd.ProcessState == nil {
		t.Error("the child is still there")
	}
}

// Ctrl-C goes to everyone at the terminal; the child leaves it to the parent.
func TestSignalsAreTheParents(t *testing.T) {
	m := start1(t, "good", 0, nil)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if err := m.(*Client).cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Info(context.Background()); err != nil {
		t.Error(err)
	}
}

// A child whose parent was killed goes too, also when the module hangs.
func TestChildEndsWithItsParent(t *testing.T) {
	m := start1(t, "hangs", time.Minute, nil).(*Client)
	go m.Sign(context.Background(), 1<<63, p11.SignRequest{}) //nolint:errcheck // it hangs
	time.Sleep(50 * time.Millisecond)
	m.life.Close() // what the end of the process does
	select {
	case <-m.ended:
	case <-time.After(10 * time.Second):
		t.Error("the child is still there")
	}
}

func TestOthersDoNotServe(t *testing.T) {
	for _, args := range [][]string{nil, {"version"}, {word}, {word, "0"}, {word, "x"}, {word, "9999"}, {word, "1", "2"}} {
		if Serve(args, load) {
			t.Errorf("%q serves", args)
		}
	}
}

func FuzzSign(f *testing.F) {
	f.Add(encodeSign(1, p11.SignRequest{Key: 2, PIN: []byte("1234"), Data: []byte("x")}))
	f.Add(encodeSign(1, p11.SignRequest{PSS: &p11.PSS{Hash: 1}, Context: true}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, r, err := decodeSign(b)
		if err != nil {
			return
		}
		s2, r2, err := decodeSign(encodeSign(s, r))
		if r.PIN == nil {
			r2.PIN = nil
		}
		if err != nil || s != s2 || !reflect.DeepEqual(r, r2) && len(r.Data)+len(r2.Data) > 0 {
			t.Errorf("%+v, then %+v, %v", r, r2, err)
		}
	})
}
