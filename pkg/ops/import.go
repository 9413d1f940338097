package ops

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// ImportItem is one certificate to take in, and where it came from. The item's
// CertID is found out by the import.
type ImportItem struct {
	Item
	Certificate *x509.Certificate
	Revoked     bool // with Reason, RevokedAt
	Reason      pki.Reason
	RevokedAt   time.Time
}

// importer is one import under way.
type importer struct {
	*Runner
	procedure string
	items     []ImportItem
	report    func(int, Result)
	limit     int // most entries in one request, as the gateway says; 0: not said
	lost      int // answers lost so far
	fruitless int // refusals in a row that named no entry
}

// Import takes in certificates of another PKI (importPKIX509), batch by batch,
// in order; procedure is the token procedure's name. It reports each item once,
// by its index, as soon as it is settled: what is there is found by serial and
// issuer, after success too. A gateway that takes fewer at a time says so, and
// is asked for no more than that from then on. The error is what stopped it.
func (r *Runner) Import(ctx context.Context, procedure string, items []ImportItem, report func(int, Result)) error {
	im := &importer{Runner: r, procedure: procedure, items: items, report: report}
	size := r.Batch
	if size <= 0 {
		size = defaultBatch
	}
	var queue [][]int
	for start := 0; start < len(items); start += size {
		var batch []int
		for i := start; i < min(start+size, len(items)); i++ {
			batch = append(batch, i)
		}
		queue = append(queue, batch)
	}
	for len(queue) > 0 {
		batch := queue[0]
		queue = queue[1:]
		if im.limit > 0 && len(batch) > im.limit {
			queue = append([][]int{batch[:im.limit], batch[im.limit:]}, queue...)
			continue
		}
		again, err := im.send(ctx, batch)
		if err != nil {
			for _, b := range queue {
				im.skip(b, err)
			}
			return err
		}
		queue = append(again, queue...)
	}
	return nil
}

func (im *importer) skip(batch []int, stop error) {
	for _, i := range batch {
		im.report(i, Result{im.items[i].Item, Skipped, fmt.Errorf("not sent: %w", stop)})
	}
}

// send imports one batch and settles what it can. What is to be sent again
// comes back, in batches; the error is what stops the run.
func (im *importer) send(ctx context.Context, batch []int) (again [][]int, stop error) {
	entries := make([]cmapi.ImportEntry, len(batch))
	for k, i := range batch {
		it := im.items[i]
		entries[k] = cmapi.ImportEntry{Certificate: it.Certificate.Raw, Revoked: it.Revoked, Reason: it.Reason, RevokedAt: it.RevokedAt}
	}
	req, err := cmapi.NewImport(im.procedure, entries)
	if err != nil {
		return nil, err
	}
	_, _, err = im.exchange(ctx, req)
	limit := cmapi.ImportLimit(err)
	if limit == 0 {
		if stop := stopping(err); stop != nil {
			for _, i := range batch {
				outcome := Failed
				if !errors.As(stop, new(*cmapi.Error)) {
					outcome = Skipped
				}
				im.report(i, Result{im.items[i].Item, outcome, stop})
			}
			return nil, stop
		}
	}
	rest := im.settle(ctx, batch, err)
	if len(rest) == 0 {
		im.fruitless = 0
		return nil, nil
	}
	var call *cmapi.Error
	isCall := errors.As(err, &call)
	switch {
	case limit > 0 && limit < len(batch):
		if im.limit == 0 || limit < im.limit {
			im.notice(fmt.Sprintf("import: the gateway takes %d at a time", limit))
			im.limit = limit
		}
		return [][]int{rest}, nil
	case isCall && call.Lost:
		if im.lost++; im.lost >= lostRounds || call.Fault == cmapi.FaultTimeout {
			for _, i := range rest {
				im.report(i, Result{im.items[i].Item, Unknown, fmt.Errorf("the answer was lost and the certificate is not there so far: %w", call)})
			}
			return nil, call
		}
		im.notice(fmt.Sprintf("import: the answer was lost and %d of %d are not there; sending them again", len(rest), len(batch)))
		return [][]int{rest}, nil
	case len(batch) == 1:
		im.report(rest[0], Result{im.items[rest[0]].Item, Failed, notImported(err)})
		return nil, nil
	case len(rest) < len(batch):
		im.fruitless = 0
		return [][]int{rest}, nil
	}
	if im.fruitless++; im.fruitless > maxFruitless && err != nil {
		for _, i := range rest {
			im.report(i, Result{im.items[i].Item, Failed, err})
		}
		return nil, err
	}
	half := len(rest) / 2
	return [][]int{rest[:half], rest[half:]}, nil
}

// maxFruitless is how often in a row a batch that was refused without naming
// an entry is halved: down to one entry of a hundred. What is refused then is
// no matter of the entries.
const maxFruitless = 7

// notImported is the error of an item that is not there although the gateway
// did not name it as failed.
func notImported(err error) error {
	if err == nil {
		return exit.New(exit.Failure, "`cmctl cert search --serial` looks for it", "the gateway said done but the certificate is not there")
	}
	return err
}

// settle reads back what is there of a batch, more than once after a lost
// answer, and reports what is settled. What remains is not there and has no
// error of its own.
func (im *importer) settle(ctx context.Context, batch []int, answer error) []int {
	ctx = context.WithoutCancel(ctx)
	var call *cmapi.Error
	errors.As(answer, &call)
	lost := call != nil && call.Lost
	named := map[int]*cmapi.ItemError{} // by index of the item
	if call != nil {
		for k := range call.Items {
			if at := call.Items[k].Index; at >= 0 && at < len(batch) && call.Items[k].Limit == 0 {
				named[batch[at]] = &call.Items[k]
			}
		}
	}
	var unread map[int]error
	for _, wait := range settleWaits {
		if wait > 0 && (!lost && len(unread) == 0 || im.pause(ctx, wait) != nil) {
			break
		}
		unread = map[int]error{}
		found, errs := im.find(ctx, batch)
		var rest []int
		for k, i := range batch {
			res, settled := im.items[i].judge(found[k], errs[k], named[i])
			if res.Outcome == Done && call != nil && !lost && len(call.Items) == 0 {
				res.Outcome = Already // the request was refused as a whole
			}
			switch {
			case !settled && errs[k] != nil:
				unread[i] = errs[k]
				fallthrough
			case !settled:
				rest = append(rest, i)
			default:
				im.report(i, res)
			}
		}
		if batch = rest; len(batch) == 0 {
			return nil
		}
	}
	var rest []int
	for _, i := range batch {
		if err := unread[i]; err != nil {
			im.report(i, Result{im.items[i].Item, Unknown, fmt.Errorf("it cannot be read back: %w", err)})
			continue
		}
		rest = append(rest, i)
	}
	return rest
}

// judge compares what was found with what was wished for. An entry that the
// gateway refused and that is there as wished was there before.
func (it *ImportItem) judge(c *cmapi.Certificate, err error, named *cmapi.ItemError) (Result, bool) {
	item := it.Item
	if c != nil {
		item.CertID = c.CertID
	}
	revoked := c != nil && c.Status == cmapi.StatusRevoked
	switch {
	case c != nil && revoked == it.Revoked && (!revoked || reasonOf(c) == it.Reason.String()):
		if named != nil {
			return Result{item, Already, nil}, true
		}
		return Result{item, Done, nil}, true
	case named != nil:
		return Result{item, Failed, named}, true
	case c == nil || err != nil:
		return Result{}, false
	case revoked:
		return Result{item, Failed, exit.New(exit.WrongState, "", "the certificate is there as revoked for %s since %s", reasonOf(c), pki.FormatTime(c.RevocationTime))}, true
	}
	return Result{item, Failed, exit.New(exit.WrongState, "revoke it with `cmctl cert revoke "+c.CertID+"`", "the certificate is there as %s, not as revoked", c.Status)}, true
}

// find looks for the certificates of a batch by serial and issuer.
func (im *importer) find(ctx context.Context, batch []int) ([]*cmapi.Certificate, []error) {
	found := make([]*cmapi.Certificate, len(batch))
	errs := make([]error, len(batch))
	var g errgroup.Group
	g.SetLimit(readers)
	for k, i := range batch {
		g.Go(func() error {
			found[k], errs[k] = im.findImported(ctx, im.items[i].Certificate)
			return nil
		})
	}
	_ = g.Wait()
	return found, errs
}

// findImported searches for one certificate. Where the gateway does not show
// an issuer as a name, the certificates themselves are compared.
func (r *Runner) findImported(ctx context.Context, cert *x509.Certificate) (*cmapi.Certificate, error) {
	page, err := r.Client.Certificates.List(ctx, cmapi.CertificateFilter{CertificateSerialNumber: pki.SerialOf(cert.SerialNumber).String(), SubjectType: everyType}, 0, 0)
	if err != nil {
		return nil, err
	}
	for i := range page.Certificates {
		c := &page.Certificates[i]
		if !isListed(c, cert) {
			continue
		}
		if _, err := pki.ParseName(c.Issuer); err == nil && c.Issuer != "" {
			return c, nil
		}
		blob, err := r.Client.Certificates.Download(ctx, c.CertID, cmapi.MediaDER, 0)
		if err != nil {
			return nil, err
		}
		if string(blob.Bytes) == string(cert.Raw) {
			return c, nil
		}
	}
	return nil, nil
}
