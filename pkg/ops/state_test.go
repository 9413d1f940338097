package ops

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// TestOutcomes: every row of the contract's table of outcomes, whatever the
// gateway's manner of refusing.
func TestOutcomes(t *testing.T) {
	longAgo := time.Now().Add(-24 * time.Hour)
	states := map[string]cert{
		"active":     {status: "active"},
		"on hold":    {status: "revoked", reason: "certificateHold", at: longAgo},
		"superseded": {status: "revoked", reason: "superseded", at: longAgo},
		"compromise": {status: "revoked", reason: "keyCompromise", at: longAgo},
		"no reason":  {status: "revoked", at: longAgo},
		"hidden":     {status: "active", hidden: true},
	}
	for _, c := range []struct {
		name   string
		change *StateChange
		want   map[string]string
	}{
		{"revoke", Revoke(pki.Superseded), map[string]string{
			"active": "done", "on hold": "done", "superseded": "already", "compromise": "failed 901", "no reason": "failed 901", "hidden": "failed 909", "unknown": "failed 907",
		}},
		{"hold", Hold(), map[string]string{
			"active": "done", "on hold": "already", "superseded": "failed 901", "compromise": "failed 901", "no reason": "failed 901", "hidden": "failed 909", "unknown": "failed 907",
		}},
		{"revoke with certificateHold", Revoke(pki.CertificateHold), map[string]string{
			"active": "done", "on hold": "already", "superseded": "failed 901", "compromise": "failed 901", "no reason": "failed 901", "hidden": "failed 909", "unknown": "failed 907",
		}},
		{"reinstate", Reinstate(), map[string]string{
			"active": "already", "on hold": "done", "superseded": "failed 910", "compromise": "failed 910", "no reason": "failed 910", "hidden": "already", "unknown": "failed 907",
		}},
	} {
		for _, m := range []mode{partial, named, mute, lenient} {
			for _, vro := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s: %s, VRO %t", c.name, m, vro), func(t *testing.T) {
					t.Parallel()
					for id, want := range c.want { // alone
						g := newGateway(t)
						g.mode, g.vro = m, vro
						if s, ok := states[id]; ok {
							g.certs[id] = &s
						}
						r, signer := g.runner(t, nil)
						got, _, stop := run(t.Context(), t, r, c.change, itemsOf(id))
						switch {
						case want == "already" && c.name == "reinstate" && m == lenient:
							want = "done" // nothing tells since when it is active
						case want == "failed 909" && m == mute:
							want = "failed -1" // nothing says why
						case want == "failed 909" && m == lenient:
							want = "failed" // it reads unchanged, and the gateway said done
						}
						same(t, id+" alone", got[id], want)
						if stop != nil || len(g.twice()) > 0 || vro != (signer.count == 0) {
							t.Errorf("%s: stopped by %v, changed twice %v, %d signatures", id, stop, g.twice(), signer.count)
						}
					}
				})
			}
		}
	}
}

// TestMixedBatch: all states in one batch come out as they would alone, and
// nothing is changed twice.
func TestMixedBatch(t *testing.T) {
	longAgo := time.Now().Add(-24 * time.Hour)
	want := map[string]string{
		"active1": "done", "unknown1": "failed 907", "hold": "done", "superseded": "already", "active2": "done", "compromise": "failed 901", "unknown2": "failed 907", "active3": "done",
	}
	order := []string{"active1", "unknown1", "hold", "superseded", "active2", "compromise", "unknown2", "active3"}
	for _, m := range []mode{partial, named, mute, lenient} {
		t.Run(string(m), func(t *testing.T) {
			g := newGateway(t)
			g.mode = m
			for _, id := range []string{"active1", "active2", "active3"} {
				g.certs[id] = &cert{status: "active"}
			}
			g.certs["hold"] = &cert{status: "revoked", reason: "certificateHold", at: longAgo}
			g.certs["superseded"] = &cert{status: "revoked", reason: "superseded", at: longAgo}
			g.certs["compromise"] = &cert{status: "revoked", reason: "keyCompromise", at: longAgo}
			r, signer := g.runner(t, nil)
			got, results, stop := run(t.Context(), t, r, Revoke(pki.Superseded), itemsOf(order...))
			same(t, "outcomes", got, want)
			if stop != nil || len(g.twice()) > 0 || exitCode(results, stop) != exit.Partial {
				t.Errorf("stopped by %v, changed twice %v, exit %d", stop, g.twice(), exitCode(results, stop))
			}
			signatures := map[mode]int{partial: 1, lenient: 1, named: 2, mute: 2}[m]
			if signer.count != signatures {
				t.Errorf("%d signatures, want %d", signer.count, signatures)
			}
		})
	}
}

// TestAlreadyByTime: a gateway that says done of what was so before is not
// believed; its own clock decides, however wrong it goes.
func TestAlreadyByTime(t *testing.T) {
	for _, skew := range []time.Duration{0, -3 * time.Hour, 3 * time.Hour} {
		for _, vro := range []bool{false, true} {
			t.Run(fmt.Sprintf("clock off by %s, VRO %t", skew, vro), func(t *testing.T) {
				g := newGateway(t)
				g.mode, g.vro, g.skew = lenient, vro, skew
				g.fill(1)
				g.certs["2"] = &cert{status: "revoked", reason: "superseded", at: g.now().Add(-time.Minute)}
				g.certs["3"] = &cert{status: "revoked", reason: "superseded"} // no time
				r, _ := g.runner(t, nil)
				got, _, stop := run(t.Context(), t, r, Revoke(pki.Superseded), itemsOf("1", "2", "3"))
				same(t, "outcomes", got, map[string]string{"1": "done", "2": "already", "3": "done"})
				if stop != nil {
					t.Error(stop)
				}
			})
		}
	}
}

// TestRefusedBatch: one bad id, found by looking, costs one signature more;
// one that looks well is found by halving; and never is anything done twice.
func TestRefusedBatch(t *testing.T) {
	for _, c := range []struct {
		name       string
		n          int
		bad        map[string]*cert // nil: unknown
		outcome    string
		signatures int
	}{
		{"none bad", 10, nil, "", 1},
		{"one unknown", 10, map[string]*cert{"4": nil}, "failed 907", 2},
		{"one revoked otherwise", 10, map[string]*cert{"4": {status: "revoked", reason: "keyCompromise"}}, "failed 901", 2},
		{"nothing to see: halves", 8, map[string]*cert{"4": {status: "active", hidden: true}}, "failed -1", 7},
		{"nothing to see among a hundred", 100, map[string]*cert{"77": {status: "active", hidden: true}}, "failed -1", 15},
		{"one unknown, one unseen", 9, map[string]*cert{"2": nil, "4": {status: "active", hidden: true}}, "", 0},
		{"all unseen", 2, map[string]*cert{"1": {status: "active", hidden: true}, "2": {status: "active", hidden: true}}, "failed -1", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t)
			g.mode = mute
			items := g.fill(c.n)
			want := all(items, "done")
			for id, bad := range c.bad {
				delete(g.certs, id)
				want[id] = c.outcome
				switch {
				case bad != nil:
					g.certs[id] = bad
					if c.outcome == "" {
						want[id] = "failed -1"
					}
				case c.outcome == "":
					want[id] = "failed 907"
				}
			}
			r, signer := g.runner(t, nil)
			got, _, stop := run(t.Context(), t, r, Revoke(pki.Superseded), items)
			same(t, "outcomes", got, want)
			if c.signatures > 0 && signer.count > c.signatures || signer.count > 21 {
				t.Errorf("%d signatures, want at most %d", signer.count, c.signatures)
			}
			if stop != nil || len(g.twice()) > 0 {
				t.Errorf("stopped by %v, changed twice %v", stop, g.twice())
			}
		})
	}
	t.Run("a hundred unseen: the signatures are bounded", func(t *testing.T) {
		g := newGateway(t)
		g.mode = mute
		items := g.fill(100)
		for _, c := range g.certs {
			c.hidden = true
		}
		r, signer := g.runner(t, nil)
		got, results, stop := run(t.Context(), t, r, Revoke(pki.Superseded), items)
		same(t, "outcomes", got, all(items, "failed -1"))
		if stop != nil || signer.count > maxRounds+10 || exitCode(results, stop) != exit.Failure {
			t.Errorf("%v, %d signatures, exit %d", stop, signer.count, exitCode(results, stop))
		}
	})
}

// TestDroppedParameters: a container drops form parameters past a limit and
// the gateway says done: what was dropped is sent again.
func TestDroppedParameters(t *testing.T) {
	g := newGateway(t)
	g.maxParams = 8 // reason, signature and six ids
	items := g.fill(20)
	r, signer := g.runner(t, nil)
	got, _, stop := run(t.Context(), t, r, Revoke(pki.Superseded), items)
	same(t, "outcomes", got, all(items, "done"))
	if stop != nil || len(g.twice()) > 0 || signer.count != 4 {
		t.Errorf("%v, changed twice %v, %d signatures, want 4", stop, g.twice(), signer.count)
	}
	for _, w := range g.signedWrites() {
		if w.reason != "4" {
			t.Errorf("the reason was dropped: %s", w.body)
		}
	}
	t.Run("nothing gets through", func(t *testing.T) {
		g := newGateway(t)
		g.maxParams = 2
		items := g.fill(3)
		r, _ := g.runner(t, nil)
		got, results, stop := run(t.Context(), t, r, Revoke(pki.Superseded), items)
		same(t, "outcomes", got, all(items, "failed"))
		if stop != nil || !strings.Contains(results[0].Err.Error(), "reads unchanged") || exitCode(results, stop) != exit.Failure {
			t.Errorf("%v, %v, exit %d", stop, results[0].Err, exitCode(results, stop))
		}
	})
}

// TestLostAnswers: before and after the write, with and without signature.
// Whatever happens, nothing is carried out twice, and what was carried out is
// called done.
func TestLostAnswers(t *testing.T) {
	at := func(n int, signed, after bool, h http.HandlerFunc) func(int, bool, bool) http.HandlerFunc {
		return func(i int, s, a bool) http.HandlerFunc {
			if i == n && s == signed && a == after {
				return h
			}
			return nil
		}
	}
	garbage := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"err`))
	}
	bad := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }
	for _, c := range []struct {
		name   string
		vro    bool
		fault  func(int, bool, bool) http.HandlerFunc
		linger int
		signed int // signed sends
		writes int // all sends
	}{
		{"after the signed write", false, at(2, true, true, cut), 0, 1, 2},
		{"before the signed write", false, at(2, true, false, cut), 0, 2, 4},
		{"502 after it", false, at(2, true, true, bad), 0, 1, 2},
		{"502 before it", false, at(2, true, false, bad), 0, 2, 4},
		{"garbage after it", false, at(2, true, true, garbage), 0, 1, 2},
		{"-18 after it", false, at(2, true, true, fail(-18)), 0, 1, 2},
		{"-18 before it", false, at(2, true, false, fail(-18)), 0, 2, 4},
		{"of the demand for a signature", false, at(1, false, false, cut), 0, 1, 3},
		{"after the write, VRO", true, at(1, false, true, cut), 0, 0, 1},
		{"before the write, VRO", true, at(1, false, false, cut), 0, 0, 2},
		{"after the write, which takes a while", false, at(2, true, true, cut), 12, 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t)
			g.vro, g.fault, g.linger = c.vro, c.fault, c.linger
			items := g.fill(5)
			r, signer := g.runner(t, nil)
			var notices []string
			r.Notice = func(s string) { notices = append(notices, s) }
			got, results, stop := run(t.Context(), t, r, Revoke(pki.Superseded), items)
			same(t, "outcomes", got, all(items, "done"))
			if stop != nil || len(g.twice()) > 0 || exitCode(results, stop) != exit.OK {
				t.Errorf("stopped by %v, changed twice %v", stop, g.twice())
			}
			if len(g.writes) != c.writes || g.signed != c.signed || signer.count != c.signed {
				t.Errorf("%d sends, %d signed, %d signatures; want %d and %d", len(g.writes), g.signed, signer.count, c.writes, c.signed)
			}
			if again := c.signed == 2 || c.writes > 2 || c.vro && c.writes > 1; again != (len(notices) == 1) {
				t.Errorf("notices %q", notices)
			}
		})
	}
	t.Run("half carried out, then lost", func(t *testing.T) {
		g := newGateway(t)
		g.maxParams, g.fault = 4, at(2, true, true, cut) // two of five ids
		items := g.fill(5)
		r, _ := g.runner(t, nil)
		got, _, stop := run(t.Context(), t, r, Revoke(pki.Superseded), items)
		same(t, "outcomes", got, all(items, "done"))
		if stop != nil || len(g.twice()) > 0 {
			t.Errorf("%v, changed twice %v", stop, g.twice())
		}
		same(t, "the second request", g.signedWrites()[1].ids, []string{"3", "4"})
	})
	t.Run("again and again", func(t *testing.T) {
		g := newGateway(t)
		g.fault = func(_ int, signed, after bool) http.HandlerFunc {
			if signed && !after {
				return cut
			}
			return nil
		}
		items := g.fill(5)
		r, signer := g.runner(t, nil)
		r.batch = 3
		got, results, stop := run(t.Context(), t, r, Revoke(pki.Superseded), items)
		same(t, "outcomes", got, map[string]string{"1": "unknown", "2": "unknown", "3": "unknown", "4": "skipped", "5": "skipped"})
		if exitCode(results, stop) != exit.Unavailable || signer.count != lostRounds {
			t.Errorf("%v, %d signatures", stop, signer.count)
		}
	})
	t.Run("no answer in time is not sent again", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t)
		g.fault = func(_ int, signed, after bool) http.HandlerFunc {
			if signed && !after {
				return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
			}
			return nil
		}
		items := g.fill(2)
		r, signer := g.runner(t, func(c *cmapi.Config) { c.Timeout = time.Second })
		got, results, stop := run(t.Context(), t, r, Revoke(pki.Superseded), items)
		same(t, "outcomes", got, all(items, "unknown"))
		if exitCode(results, stop) != exit.Unavailable || signer.count != 1 {
			t.Errorf("%v, %d signatures", stop, signer.count)
		}
	})
}

// TestUnreadable: what cannot be read back is looked at again, and is unknown
// when it stays so; it is never called done.
func TestUnreadable(t *testing.T) {
	for _, c := range []struct {
		name   string
		until  int // reads that fail
		lost   bool
		want   string
		signed int
		code   exit.Code
	}{
		{"for a moment", 3, false, "done", 1, exit.OK},
		{"for a moment, after a lost answer", 3, true, "done", 1, exit.OK},
		{"for good", 1000, false, "unknown -15", 1, exit.Unavailable},
		{"for good, after a lost answer", 1000, true, "unknown -15", 1, exit.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t)
			g.read = func(n int) http.HandlerFunc {
				if n <= c.until {
					return fail(-15)
				}
				return nil
			}
			if c.lost {
				g.fault = func(n int, _, after bool) http.HandlerFunc {
					if n == 2 && after {
						return cut
					}
					return nil
				}
			}
			items := g.fill(3)
			r, _ := g.runner(t, nil)
			got, results, stop := run(t.Context(), t, r, Revoke(pki.Superseded), items)
			same(t, "outcomes", got, all(items, c.want))
			if g.signed != c.signed || exitCode(results, stop) != c.code || len(g.twice()) > 0 {
				t.Errorf("%d signed, exit %d: %v", g.signed, exitCode(results, stop), stop)
			}
		})
	}
}

// TestStops: what would meet the next batch too ends the run; the batch it met
// failed, what was not sent is skipped.
func TestStops(t *testing.T) {
	wrongPIN := exit.New(exit.Key, "", "wrong PIN")
	for _, c := range []struct {
		name    string
		signed  bool // the fault meets the signed send of the second batch
		fault   http.HandlerFunc
		sign    error
		second  string
		code    exit.Code
		signers int
	}{
		{"-17", true, fail(-17), nil, "failed -17", exit.Refused, 2},
		{"-15 when asked to sign", false, fail(-15), nil, "failed -15", exit.Refused, 1},
		{"-12", true, fail(-12), nil, "failed -12", exit.Unavailable, 2},
		{"403", false, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, nil, "failed", exit.Refused, 1},
		{"redirect", true, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, nil, "failed", exit.Unavailable, 2},
		{"413", true, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(413) }, nil, "failed", exit.Unavailable, 2},
		{"asked to sign again", true, func(w http.ResponseWriter, _ *http.Request) {
			reply(w, 200, obj{"error": -19, "dataToSign": "AAEC"})
		}, nil, "failed -19", exit.Refused, 2},
		{"the key fails", false, nil, wrongPIN, "skipped", exit.Key, 2},
		{"the key fails without a code", false, nil, errors.New("no card"), "skipped", exit.Key, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t)
			g.fault = func(n int, signed, after bool) http.HandlerFunc {
				if n > 2 && signed == c.signed && !after {
					return c.fault
				}
				return nil
			}
			items := g.fill(6)
			r, signer := g.runner(t, nil)
			r.batch = 2
			signer.hook = func(n int) error {
				if n == 2 {
					return c.sign
				}
				return nil
			}
			got, results, stop := run(t.Context(), t, r, Revoke(pki.Superseded), items)
			same(t, "outcomes", got, map[string]string{"1": "done", "2": "done", "3": c.second, "4": c.second, "5": got["5"], "6": got["5"]})
			if !strings.HasPrefix(got["5"], "skipped") {
				t.Errorf("the last batch is %s", got["5"])
			}
			if exitCode(results, stop) != c.code || signer.count != c.signers || len(g.twice()) > 0 {
				t.Errorf("exit %d, %d signatures: %v", exitCode(results, stop), signer.count, stop)
			}
			if c.sign != nil && (!errors.Is(stop, c.sign) || g.signed != 1) {
				t.Errorf("%v, %d signed sends", stop, g.signed)
			}
		})
	}
}

// TestNamedUnderAnyCode: where the answer names the ids that failed, they are
// what went wrong, whatever the code above them; the run goes on.
func TestNamedUnderAnyCode(t *testing.T) {
	for _, code := range []int{-1, -15, -12, 0} {
		g := newGateway(t)
		g.code = code
		items := g.fill(4)
		g.certs["2"].hidden = true
		r, signer := g.runner(t, nil)
		r.batch = 2
		got, results, stop := run(t.Context(), t, r, Revoke(pki.Superseded), items)
		same(t, fmt.Sprint(code), got, map[string]string{"1": "done", "2": "failed 909", "3": "done", "4": "done"})
		if stop != nil || signer.count != 2 || exitCode(results, stop) != exit.Partial {
			t.Errorf("%d: %v, %d signatures", code, stop, signer.count)
		}
	}
}

// TestBusy: -40 of the signed send is answered with the same signature.
func TestBusy(t *testing.T) {
	g := newGateway(t)
	g.fault = func(n int, _, after bool) http.HandlerFunc {
		if (n == 1 || n == 3) && !after {
			return fail(-40)
		}
		return nil
	}
	items := g.fill(3)
	r, signer := g.runner(t, nil)
	got, _, stop := run(t.Context(), t, r, Hold(), items)
	same(t, "outcomes", got, all(items, "done"))
	signed := g.signedWrites()
	if stop != nil || signer.count != 1 || len(signed) != 2 || signed[0].body != signed[1].body || len(g.twice()) > 0 {
		t.Errorf("%v, %d signatures, %d signed sends", stop, signer.count, len(signed))
	}
}

// TestInterrupted: what is in flight is finished and read back, nothing new is
// sent.
func TestInterrupted(t *testing.T) {
	signal := exit.New(exit.Interrupted, "", "interrupted")
	for _, c := range []struct {
		name  string
		when  func(cancel func(), g *gateway, s *signer, r *Runner)
		want  map[string]string
		sends int
	}{
		{"before the start", func(cancel func(), _ *gateway, _ *signer, _ *Runner) { cancel() }, map[string]string{"1": "skipped", "2": "skipped", "3": "skipped", "4": "skipped"}, 0},
		{"while the first demand is out", func(cancel func(), g *gateway, _ *signer, _ *Runner) {
			g.fault = func(n int, _, _ bool) http.HandlerFunc {
				if n == 1 {
					cancel()
				}
				return nil
			}
		}, map[string]string{"1": "skipped", "2": "skipped", "3": "skipped", "4": "skipped"}, 1},
		{"while the key signs", func(cancel func(), _ *gateway, s *signer, _ *Runner) {
			s.hook = func(int) error { cancel(); return nil }
		}, map[string]string{"1": "skipped", "2": "skipped", "3": "skipped", "4": "skipped"}, 1},
		{"at the question for the PIN", func(cancel func(), _ *gateway, s *signer, _ *Runner) {
			s.hook = func(int) error { cancel(); return errors.New("broken off") }
		}, map[string]string{"1": "skipped", "2": "skipped", "3": "skipped", "4": "skipped"}, 1},
		{"while the write is out", func(cancel func(), g *gateway, _ *signer, _ *Runner) {
			g.fault = func(n int, _, after bool) http.HandlerFunc {
				if n == 2 && after {
					cancel()
				}
				return nil
			}
		}, map[string]string{"1": "done", "2": "done", "3": "skipped", "4": "skipped"}, 2},
		{"while the write is out, whose answer alone tells the whole", func(cancel func(), g *gateway, _ *signer, _ *Runner) {
			g.certs["2"].hidden = true
			g.fault = func(n int, _, after bool) http.HandlerFunc {
				if n == 2 && after {
					cancel()
				}
				return nil
			}
		}, map[string]string{"1": "done", "2": "failed 909", "3": "skipped", "4": "skipped"}, 2},
		{"while the write is out, and its answer lost", func(cancel func(), g *gateway, _ *signer, _ *Runner) {
			g.fault = func(n int, _, after bool) http.HandlerFunc {
				if n == 2 && after {
					cancel()
					return cut
				}
				return nil
			}
		}, map[string]string{"1": "done", "2": "done", "3": "skipped", "4": "skipped"}, 2},
		{"while the gateway is busy", func(cancel func(), g *gateway, _ *signer, _ *Runner) {
			g.read = func(int) http.HandlerFunc { return fail(-15) } // there is nothing to read back
			g.fault = func(n int, _, after bool) http.HandlerFunc {
				if n == 2 && !after {
					cancel()
					return fail(-40)
				}
				return nil
			}
		}, map[string]string{"1": "skipped", "2": "skipped", "3": "skipped", "4": "skipped"}, 2},
		{"while it is read back", func(cancel func(), g *gateway, _ *signer, _ *Runner) {
			g.read = func(int) http.HandlerFunc { cancel(); return nil }
		}, map[string]string{"1": "done", "2": "done", "3": "skipped", "4": "skipped"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t)
			items := g.fill(4)
			r, signer := g.runner(t, nil)
			r.batch = 2
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			c.when(func() { cancel(signal) }, g, signer, r.Runner)
			got, results, stop := run(ctx, t, r, Revoke(pki.Superseded), items)
			same(t, "outcomes", got, c.want)
			if !errors.Is(stop, signal) || exitCode(results, stop) != exit.Interrupted || len(g.writes) != c.sends || len(g.twice()) > 0 {
				t.Errorf("%v, exit %d, %d sends, want %d", stop, exitCode(results, stop), len(g.writes), c.sends)
			}
		})
	}
	t.Run("a deadline", func(t *testing.T) {
		g := newGateway(t)
		items := g.fill(1)
		r, _ := g.runner(t, nil)
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		got, _, stop := run(ctx, t, r, Hold(), items)
		same(t, "outcomes", got, all(items, "skipped"))
		if !errors.Is(stop, context.DeadlineExceeded) || len(g.writes) != 0 {
			t.Errorf("%v, %d sends", stop, len(g.writes))
		}
	})
}

// TestBatches: sizes, order, and never more ids in one request than containers
// take.
func TestBatches(t *testing.T) {
	for _, c := range []struct {
		n, batch int
		want     []int
	}{
		{250, 0, []int{100, 100, 50}}, {5, 2, []int{2, 2, 1}}, {1000, 5000, []int{900, 100}}, {0, 0, nil},
	} {
		g := newGateway(t)
		items := g.fill(c.n)
		r, _ := g.runner(t, nil)
		r.batch = c.batch
		_, results, stop := run(t.Context(), t, r, Hold(), items)
		var sizes []int
		var sent []string
		for _, w := range g.signedWrites() {
			sizes, sent = append(sizes, len(w.ids)), append(sent, w.ids...)
		}
		same(t, fmt.Sprintf("sizes of %d by %d", c.n, c.batch), sizes, c.want)
		same(t, "ids in order", sent, append([]string(nil), ids(items)...))
		if stop != nil || exitCode(results, stop) != exit.OK {
			t.Error(stop)
		}
	}
}
