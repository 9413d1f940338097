package sandbox

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/sandbox/ca"
	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// The ids of the sandbox's own certificates.
const (
	rootID     = 1 // the issuing CAs have 2 and 3
	serverID   = 4
	officerID  = 5
	officer2ID = 6
	guestID    = 7
)

// Names of what the store remembers beside certificates.
const (
	metaComplete = "complete" // set when all was made
	metaSeal     = "seal"     // hex of the key that seals dataToSign
)

// home is what a sandbox keeps in its folder.
type home struct {
	dir      string
	ca       *ca.Hierarchy
	store    *store.Store
	server   tls.Certificate
	people   []person
	officers officers
	sealKey  []byte
	foreign  *foreign // only when it was just made
	imports  string   // DN of the foreign CA
}

// person is an officer, or a guest, with the files written for them.
type person struct {
	name   string // of the files
	id     int64
	cn     string
	rights bool
	identity
}

func people() []person {
	return []person{
		{name: "officer", id: officerID, cn: "Demo Officer", rights: true},
		{name: "officer2", id: officer2ID, cn: "Demo Officer 2", rights: true},
		{name: "guest", id: guestID, cn: "Demo Guest"},
	}
}

// foreign is a CA that has nothing to do with the sandbox, and a certificate
// of its making that can be imported.
type foreign struct{ ca, leaf *x509.Certificate }

// openHome opens what is in dir or makes it. A temporary one keeps its
// certificates in memory, since nobody will come back for them.
func openHome(ctx context.Context, dir, origin string, opts *Options, temporary bool) (h *home, err error) {
	h = &home{dir: dir, people: people(), officers: officers{}}
	private := filepath.Join(dir, "gateway")
	fresh := temporary
	if !temporary {
		if fresh, err = isFresh(dir, private); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(private, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(private, "store.db")
	if temporary {
		path = ""
	}
	if h.store, err = store.Open(ctx, path); err != nil {
		return nil, err
	}
	defer func(s *store.Store) {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}(h.store)
	now := opts.Clock()
	if fresh {
		err = h.make(ctx, private, origin, now, opts)
	} else {
		err = h.load(ctx, private, origin, opts)
	}
	if err != nil {
		return nil, err
	}
	if err := h.ca.Delegate(leafLife(now)); err != nil {
		return nil, err
	}
	if err := h.seed(ctx, now, opts); err != nil {
		return nil, err
	}
	if err := h.plantACME(ctx, now); err != nil {
		return nil, err
	}
	return h, h.knowOfficers(ctx, opts)
}

// isFresh tells an empty folder from one of a sandbox, and refuses any other:
// it would be littered, and its config.yaml overwritten.
func isFresh(dir, private string) (bool, error) {
	if _, err := os.Stat(private); err == nil {
		return false, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	if len(entries) > 0 {
		return false, exit.Usagef("name an empty folder, a new one, or one that a sandbox made", "--dir %s holds other things", dir)
	}
	return true, nil
}

func (h *home) make(ctx context.Context, private, origin string, now time.Time, opts *Options) error {
	var err error
	if h.ca, err = ca.New(now, origin+"/pgwy"); err != nil {
		return err
	}
	if err := h.ca.Save(private); err != nil {
		return err
	}
	h.sealKey = make([]byte, 32)
	rand.Read(h.sealKey) // never fails (crypto/rand)
	server, err := h.makeServer(origin, now)
	if err != nil {
		return err
	}
	if err := server.save(private, "server"); err != nil {
		return err
	}
	h.server = tlsCertificate(server)
	from, to := leafLife(now)
	for i := range h.people {
		p := &h.people[i]
		made, err := h.ca.Issuing[0].NewLeaf(ca.Leaf{CN: p.cn, Org: "Demo", Country: "SE", NotBefore: from, NotAfter: to})
		if err != nil {
			return err
		}
		p.identity = identity{cert: made.Cert, key: made.Key, above: h.ca.Issuing[0].Cert}
		if err := p.save(h.dir, p.name); err != nil {
			return err
		}
	}
	if err := h.makeForeign(now, from, to); err != nil {
		return err
	}
	return h.store.Update(ctx, func(tx *store.Tx) error {
		for i, issuer := range h.ca.Issuers() {
			if err := h.addOwn(tx, rootID+int64(i), issuer.Cert); err != nil {
				return err
			}
		}
		if err := h.addOwn(tx, serverID, server.cert); err != nil {
			return err
		}
		for i := range h.people {
			if err := h.addOwn(tx, h.people[i].id, h.people[i].cert); err != nil {
				return err
			}
		}
		if err := tx.SetMeta(metaSeal, hex.EncodeToString(h.sealKey)); err != nil {
			return err
		}
		return tx.SetMeta(metaComplete, "yes")
	})
}

func (h *home) addOwn(tx *store.Tx, id int64, c *x509.Certificate) error {
	row := h.ca.Row(c)
	row.ID = id
	row.PublicationAllowed, row.PublishedAt, row.OCSPActivatedAt = true, c.NotBefore, c.NotBefore
	_, err := tx.Add(row)
	return err
}

// leafLife bounds the validity of the sandbox's own certificates. They must be
// valid by the sandbox's clock and by that of its callers.
func leafLife(now time.Time) (from, to time.Time) {
	from, to = now, time.Now()
	if to.Before(from) {
		from, to = to, from
	}
	return from.Add(-24 * time.Hour), to.AddDate(3, 0, 0)
}

func (h *home) makeServer(origin string, now time.Time) (identity, error) {
	leaf := ca.Leaf{CN: "localhost", Org: "Demo", Country: "SE", Server: true, DNS: []string{"localhost"},
		IPs: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	host := hostOf(origin)
	if ip := net.ParseIP(host); ip != nil {
		leaf.IPs = append(leaf.IPs, ip)
	} else {
		leaf.DNS = append(leaf.DNS, host)
	}
	if name, err := os.Hostname(); err == nil {
		leaf.DNS = append(leaf.DNS, name)
	}
	leaf.NotBefore, leaf.NotAfter = leafLife(now)
	made, err := h.ca.Issuing[0].NewLeaf(leaf)
	return identity{cert: made.Cert, key: made.Key, above: h.ca.Issuing[0].Cert}, err
}

func (h *home) makeForeign(now, from, to time.Time) error {
	issuer, err := ca.NewForeign(now)
	if err != nil {
		return err
	}
	leaf, err := issuer.NewLeaf(ca.Leaf{CN: "Foreign Device", Org: "Elsewhere", Country: "NO", NotBefore: from, NotAfter: to})
	if err != nil {
		return err
	}
	h.foreign = &foreign{issuer.Cert, leaf.Cert}
	h.imports = issuer.DN()
	return nil
}

func (h *home) load(ctx context.Context, private, origin string, opts *Options) error {
	broken := func(err error) error {
		return exit.New(exit.Failure, "remove the folder and start again", "the sandbox in %s is incomplete: %w", h.dir, err)
	}
	complete, err := h.store.Meta(ctx, metaComplete)
	if err != nil {
		return broken(err)
	}
	if complete == "" {
		return broken(errors.New("it was not finished when it was made"))
	}
	if h.ca, err = ca.Load(private, origin+"/pgwy"); err != nil {
		return broken(err)
	}
	seal, err := h.store.Meta(ctx, metaSeal)
	if err == nil {
		h.sealKey, err = hex.DecodeString(seal)
	}
	if err != nil {
		return broken(err)
	}
	for i := range h.people {
		p := &h.people[i]
		if p.identity, err = loadIdentity(h.dir, p.name); err != nil {
			return broken(err)
		}
	}
	foreignCA, err := readCertificate(filepath.Join(h.dir, "foreign-ca.pem"))
	if err == nil {
		h.imports, err = ca.DN(foreignCA.RawSubject)
	}
	if err != nil {
		return broken(err)
	}
	return h.loadServer(ctx, private, origin, opts)
}

// loadServer takes the server certificate that was made first. When it does
// not cover the address served now, another is made.
func (h *home) loadServer(ctx context.Context, private, origin string, opts *Options) error {
	server, err := loadIdentity(private, "server")
	if err != nil {
		return err
	}
	if server.cert.VerifyHostname(hostOf(origin)) != nil {
		if server, err = h.makeServer(origin, opts.Clock()); err != nil {
			return err
		}
		if _, err := h.store.Add(ctx, h.ca.Row(server.cert)); err != nil {
			return err
		}
		if err := server.save(private, "server"); err != nil {
			return err
		}
	}
	h.server = tlsCertificate(server)
	return nil
}

// seed fills the store once.
func (h *home) seed(ctx context.Context, now time.Time, opts *Options) error {
	seeded, err := h.store.Meta(ctx, store.MetaSeeded)
	if err != nil || opts.Certs == 0 || seeded == strconv.Itoa(opts.Certs) {
		return err
	}
	if seeded != "" {
		return exit.Usagef("leave --certs out, or use a new folder", "the sandbox in %s was seeded with --certs %s", h.dir, seeded)
	}
	if err := h.store.Seed(ctx, opts.Certs, h.ca.SeedOptions(now, opts.MaxHits, procedures()[0].id)); err != nil {
		return exit.Usagef("leave --certs out, or use a new folder", "%w", err)
	}
	return nil
}

func (h *home) knowOfficers(ctx context.Context, opts *Options) error {
	for i := range h.people {
		h.officers.add(&officer{certID: h.people[i].id, cert: h.people[i].cert, rights: h.people[i].rights})
	}
	for _, c := range opts.Officers {
		o := &officer{cert: c, rights: true, pinned: true}
		if known := h.officers.find(c.Raw); known != nil {
			o.certID = known.certID
		}
		h.officers.add(o)
	}
	return h.officers.refresh(ctx, h.store)
}
