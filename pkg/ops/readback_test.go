package ops

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/pki"
)

// window is listCertificates by time of revocation, in the order of ids.
func (g *gateway) window(w http.ResponseWriter, q url.Values) {
	after, err := time.Parse(time.RFC3339, q.Get("revocationTimeFrom"))
	limit, _ := strconv.Atoi(q.Get("searchLimit"))
	offset, _ := strconv.Atoi(q.Get("searchOffset"))
	if err != nil || limit == 0 || q.Get("revocationReason") != "4" {
		reply(w, 500, obj{"error": -14, "msg": q.Encode()})
		return
	}
	var found []string
	for id, c := range g.certs {
		if c.at.After(after) {
			found = append(found, id)
		}
	}
	slices.SortFunc(found, func(a, b string) int { x, _ := strconv.Atoi(a); y, _ := strconv.Atoi(b); return x - y })
	page := []obj{}
	for _, id := range found[min(offset, len(found)):min(offset+limit, len(found))] {
		page = append(page, g.certs[id].json(id))
	}
	reply(w, 200, obj{"error": 0, "searchHits": len(found), "certificates": page})
}

// mass is a mass revocation as its read-back meets it: 10,000 certificates a
// second, 100 a request, in groups of 50 requests.
type mass struct {
	g    *gateway
	r    *testRunner
	w    *StateChange
	next int
	now  time.Time
}

func newMass(t *testing.T) *mass {
	g := newGateway(t)
	g.windows = true
	r, _ := g.runner(t, nil)
	r.swift = true
	return &mass{g: g, r: r, w: Revoke(pki.Superseded), next: 10001, now: time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)}
}

// group reads one back. effect is how long after it was sent the k-th request
// revokes; never: its answer was lost, and it does not; dropped: it does not
// either, but the gateway says so.
func (m *mass) group(t *testing.T, effect func(k int) time.Duration) (pages, details int) {
	t.Helper()
	var looks []*look
	for k := range 50 {
		l := &look{w: m.w, sentAt: m.now, done: effect(k) != never, states: make([]state, 100)}
		for range 100 {
			id := strconv.Itoa(m.next)
			m.next++
			c := &cert{status: "active"}
			if effect(k) > dropped {
				c.status, c.reason, c.at = "revoked", "4", m.now.Add(effect(k)).Truncate(m.g.granted)
			}
			m.g.certs[id] = c
			l.items = append(l.items, Item{Key: id})
		}
		m.now = m.now.Add(10 * time.Millisecond)
		looks = append(looks, l)
	}
	lists, reads := m.g.lists, m.g.reads
	m.r.readTogether(t.Context(), looks, false)
	for k, l := range looks {
		for i, s := range l.states {
			if s.cert == nil || m.w.reached(s.cert) != (effect(k) > dropped) {
				t.Fatalf("request %d, certificate %s: %+v, %v", k, l.items[i].Key, s.cert, s.err)
			}
		}
	}
	return m.g.lists - lists, m.g.reads - reads
}

const (
	never   = -1 << 41
	dropped = -1 << 40
)

func TestReadTogether(t *testing.T) {
	const ms = time.Millisecond
	soon := func(int) time.Duration { return 20 * ms }
	lost := func(k int) time.Duration {
		if k == 25 {
			return never
		}
		return 20 * ms
	}
	none := func(k int) time.Duration {
		if k == 25 {
			return dropped
		}
		return 20 * ms
	}
	for _, c := range []struct {
		name    string
		granted time.Duration // what times of revocation are cut to
		groups  []func(int) time.Duration
		pages   []int // at most
		details []int
	}{
		{"as it goes", ms, []func(int) time.Duration{soon, soon, soon}, []int{10, 10, 10}, []int{1, 0, 0}},
		{"whole seconds", time.Second, []func(int) time.Duration{soon, soon, soon}, []int{10, 20, 30}, []int{1, 0, 0}},
		{"an answer was lost", ms, []func(int) time.Duration{soon, lost, soon}, []int{10, 10, 10}, []int{1, 100, 0}},
		{"a request was dropped", ms, []func(int) time.Duration{soon, none, soon}, []int{10, 62, 10}, []int{1, 100, 0}},
		{"a clock behind", ms, []func(int) time.Duration{
			func(int) time.Duration { return -2800 * ms }, func(int) time.Duration { return -2800 * ms },
		}, []int{10, 10}, []int{1, 0}},
		{"quicker than before", ms, []func(int) time.Duration{
			func(int) time.Duration { return 300 * ms }, soon, func(int) time.Duration { return -40 * ms }, func(int) time.Duration { return -75 * ms },
		}, []int{10, 28, 18, 12}, []int{1, 0, 0, 0}},
		{"ever quicker", ms, []func(int) time.Duration{
			func(k int) time.Duration { return time.Duration(300-6*k) * ms }, soon,
		}, []int{10, 10}, []int{1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMass(t)
			m.g.granted = c.granted
			for i, effect := range c.groups {
				if pages, details := m.group(t, effect); pages > c.pages[i] || details != c.details[i] {
					t.Errorf("group %d: %d pages, %d details; want %d and %d", i, pages, details, c.pages[i], c.details[i])
				}
			}
		})
	}
}
