package sandbox

import (
	"encoding/json"
	"os"
	"sync"
	"time"
)

// record is one line of requests.jsonl. The keys are contract; tests prove
// their claims from them.
type record struct {
	Time        string   `json:"time"`        // of arrival, by the sandbox's clock
	OperationID string   `json:"operationId"` // empty for a path that the API does not have
	HTTP        int      `json:"http"`        // status sent; 0: the connection was cut instead
	Error       int      `json:"error"`       // the API's code as the gateway decided it
	TLS         string   `json:"tls"`
	Scheme      string   `json:"scheme"` // of the client's signature in the handshake
	Client      string   `json:"client"` // SHA-256 of the client's certificate
	Signer      string   `json:"signer"` // SHA-256 of the certificate behind a sound CMS signature
	Signatures  int      `json:"signatures"`
	IDs         []string `json:"ids"`     // asked for
	Changed     []string `json:"changed"` // whose state this call changed
}

// requestLog writes each line whole and before the answer leaves, so that who
// has the answer finds the line.
type requestLog struct {
	mu   sync.Mutex
	file *os.File
}

func openRequestLog(path string) (*requestLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &requestLog{file: f}, nil
}

func (l *requestLog) write(r *record) error {
	if r.IDs == nil {
		r.IDs = []string{}
	}
	if r.Changed == nil {
		r.Changed = []string{}
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.file.Write(append(line, '\n'))
	return err
}

func (l *requestLog) Close() error { return l.file.Close() }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
