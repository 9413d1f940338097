package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// The codes of the API that this gateway gives.
const (
	codeOK           = 0
	codeGeneral      = -1
	codeMissing      = -7
	codeEncoding     = -8
	codeBadValue     = -14
	codePrivilege    = -15
	codeBadSignature = -17
	codeSignature    = -19
	codeTooMany      = -40

	codeAlreadyRevoked = 901
	codeAccessDenied   = 902
	codeAlreadyOnHold  = 906
	codeNoCertificate  = 907
	codeNotVisible     = 909
	codeNotOnHold      = 910
)

const jsonType = "application/json"

// answer is a whole answer, held back until it has been logged.
type answer struct {
	status int
	kind   string // Content-Type
	header map[string]string
	body   []byte
	code   int // the API's error code in it
}

func (a *answer) write(w http.ResponseWriter) {
	h := w.Header()
	for k, v := range a.header {
		h.Set(k, v)
	}
	if a.status != http.StatusNotModified {
		h.Set("Content-Type", a.kind)
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	// A caller who has gone is not this gateway's error.
	_, _ = w.Write(a.body)
}

// status is the head of every JSON answer.
type status struct {
	Error int    `json:"error"`
	Msg   string `json:"msg"`
}

var done = status{codeOK, "done"}

func jsonAnswer(httpStatus, code int, v any) *answer {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// Only strings, numbers and lists of them are ever encoded.
		b.Reset()
		fmt.Fprintf(&b, `{"error":%d,"msg":"the answer could not be encoded"}`, codeGeneral)
		httpStatus, code = http.StatusInternalServerError, codeGeneral
	}
	return &answer{status: httpStatus, kind: jsonType, body: b.Bytes(), code: code}
}

// itemError is one refused certificate: of a revoke or reinstate, which name
// it by its id, or of an import, which names it by its place.
type itemError struct {
	CertID  string `json:"certid,omitempty"`
	Index   *int   `json:"arrayindex,omitempty"`
	Code    int    `json:"errorcode"`
	Message string `json:"errormessage"`
	Server  string `json:"servererrormessage,omitempty"`
	Limit   int    `json:"limit,omitempty"` // most entries of an import
}

// apiError is a refusal, with a list when it is about single certificates.
type apiError struct {
	code  int
	msg   string
	items []itemError
}

func (e *apiError) Error() string { return e.msg }

func refuse(code int, format string, args ...any) *apiError {
	return &apiError{code: code, msg: fmt.Sprintf(format, args...)}
}

// errorAnswer is HTTP 500 with the code, as the API has it for every failure.
func errorAnswer(err error) *answer {
	var e *apiError
	if !errors.As(err, &e) {
		e = refuse(codeGeneral, "%v", err)
	}
	return jsonAnswer(http.StatusInternalServerError, e.code, struct {
		status
		Errors []itemError `json:"errors,omitempty"`
	}{status{e.code, e.msg}, e.items})
}

// doorAnswer is what a servlet container answers before the API is reached.
func doorAnswer(httpStatus, code int, msg string) *answer {
	return jsonAnswer(httpStatus, code, status{code, msg})
}
