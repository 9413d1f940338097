package sandbox

import (
	"context"
	"crypto/x509"
	"sync/atomic"

	"github.com/cmctl/cmctl/pkg/sandbox/store"
)

// officer is somebody whose certificate this gateway knows.
type officer struct {
	certID  int64 // in the store; 0 for a pinned one that is not there
	cert    *x509.Certificate
	rights  bool // all rights or none: roles are not modelled
	pinned  bool // trusted by this very certificate (--officer)
	revoked atomic.Bool
}

// mayAct reports whether calls of this officer are carried out.
func (o *officer) mayAct() bool { return o != nil && o.rights && !o.revoked.Load() }

// officers finds officers by the fingerprint of their certificate: a name is
// no proof of anything.
type officers map[string]*officer

func (all officers) add(o *officer) { all[fingerprint(o.cert.Raw)] = o }

func (all officers) find(der []byte) *officer { return all[fingerprint(der)] }

// refresh reads which of the officers' own certificates are revoked.
func (all officers) refresh(ctx context.Context, s *store.Store) error {
	for _, o := range all {
		if o.certID == 0 {
			continue
		}
		c, found, err := s.Get(ctx, o.certID)
		if err != nil {
			return err
		}
		o.revoked.Store(!found || c.Revoked)
	}
	return nil
}

// own reports whether an id is that of an officer's certificate.
func (all officers) own(id int64) bool {
	for _, o := range all {
		if o.certID == id && id != 0 {
			return true
		}
	}
	return false
}
