package ops

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
)

// registry is a gateway with the registrations of one procedure, and what is to
// go wrong there.
type registry struct {
	mu    sync.Mutex
	regs  []map[string]any
	calls []string // GET, POST, POST signed, ...

	validity   string // of those that are there; "": always
	vro        bool
	noID       bool                            // answers name no registration
	noEffect   bool                            // says done and does nothing
	refuseList string                          // answer to a list
	forget     bool                            // a list shows nothing
	before     func(n int) string              // of the n-th signed write: an answer in its place, "cut" for none
	after      func(n int) string              // as before, but carried out
	onWrite    func(r *registry, reg jsonBody) // what else happens then
	writes     int
}

type jsonBody = map[string]any

func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	raw, _ := io.ReadAll(r.Body)
	var body jsonBody
	_ = json.Unmarshal(raw, &body)
	_, signed := body["signature"]
	call := r.Method
	if signed {
		call += " signed"
	}
	g.calls = append(g.calls, call)
	answer := func(text string) {
		if text == "cut" {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}
	switch {
	case r.Method == http.MethodGet && g.refuseList != "":
		answer(g.refuseList)
	case r.Method == http.MethodGet:
		list := []jsonBody{}
		for _, reg := range g.regs {
			q := r.URL.Query()
			if !g.forget && (q.Get("regid") == "" || q.Get("regid") == reg["regid"]) { // fqdn is not looked at: some take no notice of a filter
				list = append(list, reg)
			}
		}
		text, _ := json.Marshal(jsonBody{"error": 0, "registrations": list})
		answer(string(text))
	case !signed && !g.vro:
		answer(`{"error":-19,"dataToSign":"AAEC"}`)
	default:
		g.writes++
		if g.before != nil {
			if text := g.before(g.writes); text != "" {
				answer(text)
				return
			}
		}
		id := g.write(body)
		if g.after != nil {
			if text := g.after(g.writes); text != "" {
				answer(text)
				return
			}
		}
		if g.noID {
			answer(`{"error":0,"msg":"done"}`)
			return
		}
		answer(fmt.Sprintf(`{"error":0,"registration":{"regid":%q}}`, id))
	}
}

func (g *registry) write(body jsonBody) string {
	delete(body, "signature")
	if g.noEffect {
		return fmt.Sprint(body["regid"], "x")
	}
	if g.onWrite != nil {
		g.onWrite(g, body)
	}
	if id, ok := body["regid"]; ok {
		for _, reg := range g.regs {
			if reg["regid"] == id {
				for k, v := range body {
					reg[k] = v
				}
			}
		}
		return id.(string)
	}
	id := g.add(body["fqdn"].(string), time.Now())
	for k, v := range body {
		g.regs[len(g.regs)-1][k] = v
	}
	return id
}

func (g *registry) add(fqdn string, created time.Time) string {
	id := fmt.Sprintf("new/%d+=", len(g.regs)+1)
	g.regs = append(g.regs, jsonBody{"regid": id, "fqdn": fqdn, "status": "open", "validity": "always", "creationdate": created.UnixMilli()})
	return id
}

type fixedSigner struct{ err error }

func (s fixedSigner) SignCMS(context.Context, []byte) ([]byte, error) {
	return []byte("signature"), s.err
}

// runner is one of the registry; its waits are counted and not slept.
func (g *registry) runner(t *testing.T) *Runner {
	t.Helper()
	s := httptest.NewUnstartedServer(g)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	client, err := cmapi.New(cmapi.Config{BaseURL: s.URL, RootCAs: pool, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &Runner{Client: client, Signer: fixedSigner{}, sleep: func(context.Context, time.Duration) error { return nil }}
}

var place = RegistrationPlace{Kind: cmapi.CMPRegistration, ProcID: "p"}

func always(text string) func(int) string { return func(int) string { return text } }

func only(n int, text string) func(int) string {
	return func(i int) string {
		if i == n {
			return text
		}
		return ""
	}
}

func TestCreateRegistration(t *testing.T) {
	const unknownHint = "before creating it again, look for it with `cmctl reg list --fqdn`: a second request makes a second registration"
	for _, c := range []struct {
		name    string
		gateway *registry
		calls   string
		regID   string
		outcome Outcome
		exit    exit.Code
		message string // part of the error
		hint    string
	}{
		{name: "done and read back", gateway: &registry{}, calls: "GET,POST,POST signed,GET", regID: "new/1+=", outcome: Done},
		{name: "a gateway that signs itself", gateway: &registry{vro: true}, calls: "GET,POST,GET", regID: "new/1+=", outcome: Done},
		{name: "no id in the answer: found by its name", gateway: &registry{noID: true}, calls: "GET,POST,POST signed,GET", regID: "new/1+=", outcome: Done},
		{name: "no id and not listed: the gateway's word", gateway: &registry{noID: true, forget: true}, calls: "GET,POST,POST signed,GET", outcome: Done},
		{name: "lost after it was made: found", gateway: &registry{after: always("cut")}, calls: "GET,POST,POST signed,GET", regID: "new/1+=", outcome: Done},
		{name: "nonsense after it was made: found", gateway: &registry{after: always("nonsense")}, calls: "GET,POST,POST signed,GET", regID: "new/1+=", outcome: Done},
		{name: "lost before it was made: unknown, and not asked for again", gateway: &registry{before: always("cut")},
			calls: "GET,POST,POST signed,GET,GET,GET,GET", outcome: Unknown, exit: exit.Unavailable, message: "the answer was lost and no new registration of this name is found so far", hint: unknownHint},
		{name: "lost, and another officer made one of this name at the same time", gateway: &registry{after: always("cut"),
			onWrite: func(g *registry, _ jsonBody) { g.add("D.example.com", time.Now()) }},
			calls: "GET,POST,POST signed,GET", outcome: Unknown, exit: exit.Unavailable, message: "several new registrations have this name", hint: unknownHint},
		{name: "lost, and no right to read", gateway: &registry{after: always("cut"), refuseList: `{"error":-15}`},
			calls: "GET,POST,POST signed", outcome: Unknown, exit: exit.Unavailable, message: "this officer may not list registrations", hint: unknownHint},
		{name: "no right to read, but to write", gateway: &registry{refuseList: `{"error":-15}`}, calls: "GET,POST,POST signed,GET", regID: "new/1+=", outcome: Done},
		{name: "refused", gateway: &registry{before: always(`{"error":-14,"msg":"bad"}`)}, calls: "GET,POST,POST signed", outcome: Failed, exit: exit.Failure, message: "-14"},
		{name: "said done and is not there", gateway: &registry{noEffect: true}, calls: "GET,POST,POST signed,GET,GET,GET,GET",
			regID: "<nil>x", outcome: Unknown, exit: exit.Unavailable, message: "the gateway said done and named registration <nil>x, but does not list it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.gateway.runner(t)
			regID, outcome, err := r.createRegistration(t.Context(), place, cmapi.RegistrationInput{FQDN: "d.example.com"})
			if calls := strings.Join(c.gateway.calls, ","); calls != c.calls {
				t.Errorf("calls %s, want %s", calls, c.calls)
			}
			if regID != c.regID || outcome != c.outcome || exit.Of(err) != c.exit {
				t.Errorf("%q %s, exit %d (%v); want %q %s, exit %d", regID, outcome, exit.Of(err), err, c.regID, c.outcome, c.exit)
			}
			if err != nil && !strings.Contains(err.Error(), c.message) {
				t.Errorf("%v, want %s", err, c.message)
			}
			if c.hint != "" && exit.HintOf(err) != c.hint {
				t.Errorf("hint %q", exit.HintOf(err))
			}
		})
	}
}

// One of the same name that was there before is not taken for a new one, nor is
// one that appears now and was created before the send.
func TestCreatedBeforeIsNotNew(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(g *registry)
	}{
		{"there before", func(g *registry) { g.add("d.example.com", time.Now().Add(time.Hour)) }},
		{"created before the send", func(g *registry) {
			g.before = func(int) string {
				g.add("d.example.com", time.Now().Add(-time.Minute))
				return "cut"
			}
		}},
		{"of another name", func(g *registry) {
			g.before = func(int) string {
				g.add("e.example.com", time.Now())
				return "cut"
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &registry{before: always("cut")}
			c.at(g)
			if regID, o, err := g.runner(t).createRegistration(t.Context(), place, cmapi.RegistrationInput{FQDN: "d.example.com"}); o != Unknown || regID != "" {
				t.Errorf("%q %s %v", regID, o, err)
			}
		})
	}
}

// Several: what one line is refused for does not stop the others; what would
// meet them as well does, and so does a fate that is open.
func TestCreateRegistrations(t *testing.T) {
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(exit.New(exit.Interrupted, "", "interrupted"))
	for _, c := range []struct {
		name    string
		ctx     context.Context
		gateway *registry
		signer  error
		want    string
		exit    exit.Code
		writes  int
	}{
		{name: "all", gateway: &registry{}, want: "done new/1+=,done new/2+=,done new/3+=", writes: 3},
		{name: "one refused", gateway: &registry{before: only(2, `{"error":-14}`)}, want: "done new/1+=,failed ,done new/2+=", writes: 3},
		{name: "the officer refused", gateway: &registry{before: only(2, `{"error":-17}`)}, want: "done new/1+=,failed ,skipped ", exit: exit.Refused, writes: 2},
		{name: "lost for good", gateway: &registry{before: only(2, "cut")}, want: "done new/1+=,unknown ,skipped ", exit: exit.Unavailable, writes: 2},
		{name: "lost and found", gateway: &registry{after: only(2, "cut")}, want: "done new/1+=,done new/2+=,done new/3+=", writes: 3},
		{name: "no key", gateway: &registry{}, signer: exit.New(exit.Key, "", "the card is gone"), want: "skipped ,skipped ,skipped ", exit: exit.Key},
		{name: "interrupted before", ctx: ended, gateway: &registry{}, want: "skipped ,skipped ,skipped ", exit: exit.Interrupted},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.gateway.runner(t)
			r.Signer = fixedSigner{c.signer}
			var wanted []Item
			for i, name := range []string{"a", "b", "c"} {
				wanted = append(wanted, Item{Key: name, Line: i + 2})
			}
			of := func(it Item) (cmapi.RegistrationInput, error) { return cmapi.RegistrationInput{FQDN: it.Key}, nil }
			ctx := c.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			var got []string
			stop := runJob(ctx, t, r.NewRegistrations(place, of), wanted, 1, func(res Result) {
				if res.Index != len(got) || res.Line != wanted[res.Index].Line || res.Key != wanted[res.Index].Key {
					t.Errorf("report %d is %+v", len(got), res)
				}
				got = append(got, fmt.Sprintf("%s %s", res.Outcome, res.ID))
			})
			if text := strings.Join(got, ","); text != c.want || exit.Of(stop) != c.exit || c.gateway.writes != c.writes {
				t.Errorf("%s, exit %d (%v), %d writes; want %s, exit %d, %d writes", text, exit.Of(stop), stop, c.gateway.writes, c.want, c.exit, c.writes)
			}
		})
	}
}

func TestUpdateRegistration(t *testing.T) {
	type in = cmapi.RegistrationInput
	for _, c := range []struct {
		name    string
		gateway *registry
		in      in
		outcome Outcome
		exit    exit.Code
		message string
		writes  int
		status  string // of the registration afterwards; "": open
	}{
		{name: "done", gateway: &registry{}, in: in{Status: "closed"}, outcome: Done, writes: 1, status: "closed"},
		{name: "signed by the gateway", gateway: &registry{vro: true}, in: in{Status: "closed"}, outcome: Done, writes: 1, status: "closed"},
		{name: "already so", gateway: &registry{}, in: in{Status: "OPEN", FQDN: "D", Validity: "always"}, outcome: Already, writes: 1, status: "OPEN"},
		{name: "days start anew", gateway: &registry{}, in: in{Validity: "7"}, outcome: Done, writes: 1},
		{name: "the same days start anew", gateway: &registry{validity: "7"}, in: in{Validity: "7"}, outcome: Done, writes: 1},
		{name: "a password cannot be read", gateway: &registry{}, in: in{Password: "x"}, outcome: Done, writes: 1},
		{name: "a password and what is so already", gateway: &registry{}, in: in{Password: "x", Status: "open"}, outcome: Done, writes: 1},
		{name: "said done and did nothing", gateway: &registry{noEffect: true}, in: in{Status: "closed"}, outcome: Failed, exit: exit.Failure, message: "reads unchanged", writes: 1},
		{name: "refused", gateway: &registry{before: always(`{"error":-15}`)}, in: in{Status: "closed"}, outcome: Failed, exit: exit.Refused, message: "-15", writes: 1},
		{name: "lost after", gateway: &registry{after: only(1, "cut")}, in: in{Status: "closed"}, outcome: Done, writes: 1, status: "closed"},
		{name: "lost before: sent again", gateway: &registry{before: only(1, "cut")}, in: in{Status: "closed"}, outcome: Done, writes: 2, status: "closed"},
		{name: "lost twice", gateway: &registry{before: always("cut")}, in: in{Status: "closed"}, outcome: Unknown, exit: exit.Unavailable, message: "reads unchanged so far", writes: lostRounds},
		{name: "lost, and it was so before", gateway: &registry{before: always("cut")}, in: in{Status: "open"}, outcome: Already, writes: 1},
		{name: "lost, with a password", gateway: &registry{after: always("cut")}, in: in{Password: "x"}, outcome: Unknown, exit: exit.Unavailable, message: "cannot be read back", writes: 1},
		{name: "lost, with a password and a state that shows it", gateway: &registry{after: always("cut")}, in: in{Password: "x", Status: "closed"}, outcome: Done, writes: 1, status: "closed"},
		{name: "field of another kind", gateway: &registry{}, in: in{Email: "x"}, outcome: Failed, exit: exit.Failure, message: "takes no email"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.gateway.add("d", time.Now())
			if c.gateway.validity != "" {
				c.gateway.regs[0]["validity"] = c.gateway.validity
			}
			r := c.gateway.runner(t)
			c.in.RegID = "new/1+="
			before, err := r.FindRegistration(t.Context(), place, c.in.RegID)
			if err != nil {
				t.Fatal(err)
			}
			o, err := r.updateRegistration(t.Context(), place, *before, c.in)
			if o != c.outcome || exit.Of(err) != c.exit || c.gateway.writes != c.writes {
				t.Errorf("%s, exit %d (%v), %d writes; want %s, exit %d, %d writes", o, exit.Of(err), err, c.gateway.writes, c.outcome, c.exit, c.writes)
			}
			if err != nil && !strings.Contains(err.Error(), c.message) {
				t.Errorf("%v, want %s", err, c.message)
			}
			want := c.status
			if want == "" {
				want = "open"
			}
			if got := c.gateway.regs[0]["status"]; got != want {
				t.Errorf("it is %s now, want %s", got, want)
			}
		})
	}
}

func TestUpdateWithoutAKey(t *testing.T) {
	g := &registry{}
	g.add("d", time.Now())
	r := g.runner(t)
	r.Signer = fixedSigner{exit.New(exit.Key, "", "the card is gone")}
	o, err := r.updateRegistration(t.Context(), place, cmapi.Registration{RegID: "new/1+="}, cmapi.RegistrationInput{RegID: "new/1+=", Status: "closed"})
	if o != Skipped || exit.Of(err) != exit.Key || g.writes != 0 {
		t.Errorf("%s, %v, %d writes", o, err, g.writes)
	}
}

// There being none is NotFound, whatever else a gateway lists.
func TestFindRegistration(t *testing.T) {
	g := &registry{}
	g.add("d", time.Now())
	r := g.runner(t)
	for regID, want := range map[string]exit.Code{"new/1+=": exit.OK, "new/1+": exit.NotFound, "": exit.NotFound} {
		if _, err := r.FindRegistration(t.Context(), place, regID); exit.Of(err) != want {
			t.Errorf("%q: %v", regID, err)
		}
	}
	g.refuseList = `{"error":-15}`
	if _, err := r.FindRegistration(t.Context(), place, "new/1+="); exit.Of(err) != exit.Refused {
		t.Errorf("%v", err)
	}
}

func TestLostAnswer(t *testing.T) {
	lost := &cmapi.Error{Lost: true}
	for _, c := range []struct {
		err  error
		want *cmapi.Error
	}{{nil, nil}, {errors.New("x"), nil}, {&cmapi.Error{}, nil}, {lost, lost}, {fmt.Errorf("y: %w", lost), lost}} {
		if got := lostAnswer(c.err); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
