package ops

import (
	"errors"

	"github.com/cmctl/cmctl/pkg/bulk"
)

// Item is one thing to write; its Key is what the write is on: a certid, for
// most. The words for items and how they ended are those of bulk runs.
type Item = bulk.Item

// Outcome is how an item ended.
type Outcome = bulk.Outcome

// Result is the outcome of an item.
type Result = bulk.Result

// The outcomes.
const (
	Done    = bulk.Done
	Already = bulk.Already
	Failed  = bulk.Failed
	Unknown = bulk.Unknown
	Skipped = bulk.Skipped
)

// CertificateRecord is the record of a write on a certificate:
// {"certid":"10003","outcome":"failed","line":4,"input":"10003","error":{"code":907,"message":"..."}}.
type CertificateRecord struct {
	CertID  string  `json:"certid"`
	Outcome Outcome `json:"outcome"`
	Line    int     `json:"line,omitempty"`
	Input   string  `json:"input,omitempty"`
	Error   *Reason `json:"error,omitempty"`
}

// RecordOf makes the record of a result.
func RecordOf(r Result) CertificateRecord {
	return CertificateRecord{r.Key, r.Outcome, r.Line, InputOf(r.Item), ReasonOf(r.Err)}
}

// InputOf is how an item was named: in a list always told, else only when that
// is not its key.
func InputOf(it Item) string {
	if it.Input == "" && it.Line > 0 {
		return it.Key
	}
	return it.Input
}

// Reason is an error in a record: the gateway's code, 0 when it has none, and
// words.
type Reason struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// ReasonOf turns an error into a record's reason; nil for nil.
func ReasonOf(err error) *Reason {
	if err == nil {
		return nil
	}
	r := &Reason{Message: err.Error()}
	var coded interface{ GatewayCode() int }
	if errors.As(err, &coded) {
		r.Code = coded.GatewayCode()
	}
	return r
}
