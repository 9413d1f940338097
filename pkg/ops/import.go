package ops

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cmctl/cmctl/pkg/bulk"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/pki"
)

// ImportItem is one certificate to take in; bulk.Item has its name, and the
// certificate in Data.
type ImportItem struct {
	Certificate *x509.Certificate
	Revoked     bool // with Reason, RevokedAt
	Reason      pki.Reason
	RevokedAt   time.Time
}

// importData is an ImportItem as a plan keeps it.
type importData struct {
	DER       []byte     `json:"der"`
	Reason    *int       `json:"reason,omitempty"` // of one that is revoked
	RevokedAt *time.Time `json:"revokedAt,omitempty"`
}

// Pack makes the Data of a plan's item.
func (it *ImportItem) Pack() ([]byte, error) {
	d := importData{DER: it.Certificate.Raw}
	if it.Revoked {
		reason := int(it.Reason)
		d.Reason, d.RevokedAt = &reason, &it.RevokedAt
	}
	return json.Marshal(d)
}

// UnpackImport reads it.
func UnpackImport(data []byte) (*ImportItem, error) {
	var d importData
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(d.DER)
	if err != nil {
		return nil, err
	}
	it := &ImportItem{Certificate: cert}
	if d.Reason != nil && d.RevokedAt != nil {
		it.Revoked, it.Reason, it.RevokedAt = true, pki.Reason(*d.Reason), *d.RevokedAt
	}
	return it, nil
}

// Imports is the write that takes in certificates of another PKI
// (importPKIX509); procedure is the token procedure's name. What is there is
// found by serial and issuer, after success too: a Result's ID is the certid. A
// gateway that takes fewer at a time says so, and is asked for no more than
// that from then on.
func (r *Runner) Imports(procedure string) bulk.Write {
	return &imports{r: r, procedure: procedure, limit: &limit{}}
}

type imports struct {
	r         *Runner
	procedure string
	limit     *limit
}

// limit is the most entries that a gateway takes in one request, once it is
// known.
type limit struct {
	mu sync.Mutex
	n  int
}

func (l *limit) get() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// learn notes a limit; true when it is news.
func (l *limit) learn(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n > 0 && n >= l.n {
		return false
	}
	l.n = n
	return true
}

// importer is one batch under way.
type importer struct {
	*Runner
	procedure string
	items     []Item
	certs     []*ImportItem
	report    func(Result)
	limit     *limit
	lost      int // answers lost so far
	fruitless int // refusals in a row that named no entry
}

func (w *imports) unpack(r *Runner, items []Item, report func(Result)) (*importer, error) {
	im := &importer{Runner: r, procedure: w.procedure, items: items, report: report, limit: w.limit}
	for _, it := range items {
		c, err := UnpackImport(it.Data)
		if err != nil {
			return nil, fmt.Errorf("the plan's item %d: %w", it.Index, err)
		}
		im.certs = append(im.certs, c)
	}
	return im, nil
}

// Do implements bulk.Write.
func (w *imports) Do(ctx context.Context, items []Item, gate bulk.Gate, report func(Result)) error {
	im, err := w.unpack(w.r.Through(gate), items, report)
	if err != nil {
		return err
	}
	queue := [][]int{im.all()}
	for len(queue) > 0 {
		batch := queue[0]
		queue = queue[1:]
		if n := im.limit.get(); n > 0 && len(batch) > n {
			queue = append([][]int{batch[:n:n], batch[n:]}, queue...)
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

// Settle implements bulk.Write.
func (w *imports) Settle(ctx context.Context, items []Item, _ time.Time, report func(Result)) ([]Item, error) {
	im, err := w.unpack(w.r, items, report)
	if err != nil {
		return nil, err
	}
	found, errs := im.find(ctx, im.all())
	var rest []Item
	var unread error
	for k, it := range items {
		res, settled := im.judge(k, found[k], errs[k], nil)
		switch {
		case settled:
			report(res)
		case errs[k] != nil:
			unread = cmp.Or(unread, errs[k])
		default:
			rest = append(rest, it)
		}
	}
	return rest, unread
}

func (im *importer) pick(batch []int) []Item {
	items := make([]Item, len(batch))
	for k, i := range batch {
		items[k] = im.items[i]
	}
	return items
}

func (im *importer) all() []int {
	all := make([]int, len(im.items))
	for i := range all {
		all[i] = i
	}
	return all
}

func (im *importer) skip(batch []int, stop error) {
	for _, i := range batch {
		im.report(Result{Item: im.items[i], Outcome: Skipped, Err: notSent(stop)})
	}
}

// send imports one batch and settles what it can. What is to be sent again
// comes back, in batches; the error is what stops the run.
func (im *importer) send(ctx context.Context, batch []int) (again [][]int, stop error) {
	entries := make([]cmapi.ImportEntry, len(batch))
	for k, i := range batch {
		it := im.certs[i]
		entries[k] = cmapi.ImportEntry{Certificate: it.Certificate.Raw, Revoked: it.Revoked, Reason: it.Reason, RevokedAt: it.RevokedAt}
	}
	req, err := cmapi.NewImport(im.procedure, entries)
	if err != nil {
		return nil, err
	}
	_, _, err = im.exchange(ctx, req)
	if errors.Is(err, errDrill) {
		reportUnsent([][]Item{im.pick(batch)}, errDrill, im.report)
		return nil, nil
	}
	limit := cmapi.ImportLimit(err)
	if limit == 0 {
		if stop := stopping(err); stop != nil {
			reportUnsent([][]Item{im.pick(batch)}, stop, im.report)
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
		if im.limit.learn(limit) {
			im.notice(fmt.Sprintf("import: the gateway takes %d at a time", limit))
		}
		return [][]int{rest}, nil
	case isCall && call.Lost:
		if im.lost++; im.lost >= lostRounds || call.Fault == cmapi.FaultTimeout {
			for _, i := range rest {
				im.report(Result{Item: im.items[i], Outcome: Unknown, Err: fmt.Errorf("the answer was lost and the certificate is not there so far: %w", call)})
			}
			return nil, call
		}
		im.notice(fmt.Sprintf("import: the answer was lost and %d of %d are not there; sending them again", len(rest), len(batch)))
		return [][]int{rest}, nil
	case len(batch) == 1:
		im.report(Result{Item: im.items[rest[0]], Outcome: Failed, Err: notImported(err)})
		return nil, nil
	case len(rest) < len(batch):
		im.fruitless = 0
		return [][]int{rest}, nil
	}
	if im.fruitless++; im.fruitless > maxFruitless && err != nil {
		for _, i := range rest {
			im.report(Result{Item: im.items[i], Outcome: Failed, Err: err})
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
			res, settled := im.judge(i, found[k], errs[k], named[i])
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
				im.report(res)
			}
		}
		if batch = rest; len(batch) == 0 {
			return nil
		}
	}
	var rest []int
	for _, i := range batch {
		if err := unread[i]; err != nil {
			im.report(Result{Item: im.items[i], Outcome: Unknown, Err: fmt.Errorf("it cannot be read back: %w", err)})
			continue
		}
		rest = append(rest, i)
	}
	return rest
}

// judge compares what was found with what was wished for. An entry that the
// gateway refused and that is there as wished was there before.
func (im *importer) judge(i int, c *cmapi.Certificate, err error, named *cmapi.ItemError) (Result, bool) {
	it := im.certs[i]
	res := Result{Item: im.items[i], Outcome: Failed}
	if c != nil {
		res.ID = c.CertID
	}
	revoked := c != nil && c.Status == cmapi.StatusRevoked
	switch {
	case c != nil && revoked == it.Revoked && (!revoked || reasonOf(c) == it.Reason.String()):
		if res.Outcome = Done; named != nil {
			res.Outcome = Already
		}
	case named != nil:
		res.Err = named
	case c == nil || err != nil:
		return Result{}, false
	case revoked:
		res.Err = exit.New(exit.WrongState, "", "the certificate is there as revoked for %s since %s", reasonOf(c), pki.FormatTime(c.RevocationTime))
	default:
		res.Err = exit.New(exit.WrongState, "revoke it with `cmctl cert revoke "+c.CertID+"`", "the certificate is there as %s, not as revoked", c.Status)
	}
	return res, true
}

// find looks for the certificates of a batch by serial and issuer.
func (im *importer) find(ctx context.Context, batch []int) ([]*cmapi.Certificate, []error) {
	found := make([]*cmapi.Certificate, len(batch))
	errs := make([]error, len(batch))
	var g errgroup.Group
	g.SetLimit(readers)
	for k, i := range batch {
		g.Go(func() error {
			found[k], errs[k] = im.findImported(ctx, im.certs[i].Certificate)
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
