package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/sha1" // #nosec: ids, not a signature
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox/ca"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// firstACMEID is the id of the first certificate made for an ACME account,
// where there are no seeded ones to take.
const firstACMEID = 11

// metaACME notes that the store has its ACME data.
const metaACME = "acme"

// acmeAccounts are the accounts that each sandbox has: registration, state and
// number of certificates; read only.
var acmeAccounts = []struct {
	registration int
	status       string
	certs        int
}{
	{1, "active", 2}, {1, "active", 1}, {1, "deactivated", 1},
	{2, "active", 2}, {2, "active", 1}, {2, "revoked", 1},
}

// acmeID makes the same ids in every sandbox. Each holds a slash and a plus
// sign, which have to survive a query.
func acmeID(name string) string {
	for salt := 0; ; salt++ {
		sum := sha1.Sum(fmt.Appendf(nil, "cmctl sandbox %s %d", name, salt)) // #nosec: as above
		id := base64.StdEncoding.EncodeToString(sum[:])
		if strings.Contains(id, "/") && strings.Contains(id, "+") {
			return id
		}
	}
}

// plantACME gives the ACME procedure its registrations and accounts, once.
func (h *home) plantACME(ctx context.Context, now time.Time) error {
	planted, err := h.store.Meta(ctx, metaACME)
	if err != nil || planted != "" {
		return err
	}
	certIDs, err := h.seededForACME(ctx)
	if err != nil {
		return err
	}
	return h.store.Update(ctx, func(tx *store.Tx) error {
		if certIDs == nil {
			if certIDs, err = h.makeForACME(tx, now); err != nil {
				return err
			}
		}
		for n := 1; n <= 2; n++ {
			secret, err := sealSecret(h.sealKey, rand.Text())
			if err != nil {
				return err
			}
			err = tx.PutRegistration(store.Registration{ID: acmeRegID(n), ProcID: "p-acme", Type: typeACME,
				FQDN: fmt.Sprintf("demo-key-%d", n), Opened: now, Created: now, Officer: h.people[0].cn, Secret: secret})
			if err != nil {
				return err
			}
		}
		for k, a := range acmeAccounts {
			name := fmt.Sprintf("demo-account-%d", k+1)
			account := store.Account{ID: acmeID(name), RegID: acmeRegID(a.registration), FQDN: name,
				Officer: h.people[0].cn, Created: now, Status: a.status, Email: name + "@example.com"}
			if err := tx.AddAccount(account); err != nil {
				return err
			}
			for range a.certs {
				if err := tx.Enrol(certIDs[0], account.RegID, account.ID); err != nil {
					return err
				}
				certIDs = certIDs[1:]
			}
		}
		return tx.SetMeta(metaACME, "yes")
	})
}

func acmeRegID(n int) string { return acmeID(fmt.Sprintf("registration %d", n)) }

func acmeCerts() (n int) {
	for _, a := range acmeAccounts {
		n += a.certs
	}
	return n
}

// seededForACME takes the first seeded certificates that are active, so that a
// search finds no more than was seeded; nil when there are not enough.
func (h *home) seededForACME(ctx context.Context) ([]int64, error) {
	page, _, err := h.store.Search(ctx, store.Query{NotRevoked: true, Limit: 4 * acmeCerts()})
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, c := range page {
		if c.Seed != 0 && len(ids) < acmeCerts() {
			ids = append(ids, c.ID)
		}
	}
	if len(ids) < acmeCerts() {
		return nil, nil
	}
	return ids, nil
}

func (h *home) makeForACME(tx *store.Tx, now time.Time) ([]int64, error) {
	var ids []int64
	for k := range acmeCerts() {
		name := fmt.Sprintf("host-%d.acme.example.com", k+1)
		made, err := h.ca.Issuing[0].NewLeaf(ca.Leaf{CN: name, Server: true, DNS: []string{name}, NotBefore: now, NotAfter: now.Add(validFor)})
		if err != nil {
			return nil, err
		}
		ids = append(ids, firstACMEID+int64(k))
		if err := h.addOwn(tx, ids[k], made.Cert); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
