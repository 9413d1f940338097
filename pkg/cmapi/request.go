package cmapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// Shape is how a request carries its fields, and so how a signature is added.
type Shape string

// The shapes of a request body. A read has none.
const (
	ShapeNone      Shape = ""
	ShapeForm      Shape = "form"
	ShapeMultipart Shape = "multipart"
	ShapeJSON      Shape = "json"
)

// signable tells the shapes that a signature can be put into.
func (s Shape) signable() bool { return s == ShapeForm || s == ShapeMultipart || s == ShapeJSON }

// Request is one call as a value: everything that is sent except the base URL
// and the connection. It can be stored as JSON and sent by another process.
type Request struct {
	Operation   string `json:"operation"` // operationId
	Method      string `json:"method"`
	Path        string `json:"path"` // below the base URL, percent-encoded, with the query
	Accept      string `json:"accept"`
	ContentType string `json:"contentType,omitempty"`
	Shape       Shape  `json:"shape,omitempty"`
	Body        []byte `json:"body,omitempty"`
	SignatureAt int    `json:"signatureAt"` // byte offset in Body where the signature goes
	Write       bool   `json:"write"`
}

// WithSignature is the same request, byte for byte, with the signature (a DER
// CMS SignedData) put in at SignatureAt as the request's shape demands: a form
// field, a multipart field or a top-level JSON member, always in Base64
// without line breaks and before the long fields, since servlet containers
// drop form parameters past a limit without a word.
func (r Request) WithSignature(der []byte) Request {
	b64 := base64.StdEncoding.EncodeToString(der)
	var field string
	switch r.Shape {
	case ShapeForm:
		field = "signature=" + url.QueryEscape(b64) + "&"
	case ShapeMultipart:
		field = string(multipartField(boundaryOf(r.ContentType), "signature", "", []byte(b64)))
	case ShapeJSON:
		field = `"signature":"` + b64 + `",`
	}
	body := make([]byte, 0, len(r.Body)+len(field))
	body = append(body, r.Body[:r.SignatureAt]...)
	body = append(body, field...)
	body = append(body, r.Body[r.SignatureAt:]...)
	r.Body = body
	return r
}

// check refuses a stored request that cannot be sent as it is.
func (r Request) check() error {
	if r.SignatureAt < 0 || r.SignatureAt > len(r.Body) {
		return fmt.Errorf("the place of the signature, %d, is outside the body of %d bytes", r.SignatureAt, len(r.Body))
	}
	if !strings.HasPrefix(r.Path, "/") {
		return fmt.Errorf("the path %q does not start with a slash", r.Path)
	}
	return nil
}

// read builds a request without a body. pathArgs fill the template's
// {placeholders} in order, percent-encoded.
func (op Operation) read(query url.Values, accept string, pathArgs ...string) Request {
	path := op.path(pathArgs)
	if q := query.Encode(); q != "" {
		path += "?" + q
	}
	return Request{Operation: op.ID, Method: op.Method, Path: path, Accept: accept}
}

type field struct{ name, value string }

// form builds an urlencoded write; the signature goes after the head fields
// and before the tail, whose number may be large.
func (op Operation) form(head, tail []field, accept string, pathArgs ...string) Request {
	var b strings.Builder
	encode := func(fs []field) {
		for _, f := range fs {
			b.WriteString(url.QueryEscape(f.name) + "=" + url.QueryEscape(f.value) + "&")
		}
	}
	encode(head)
	at := b.Len()
	encode(tail)
	body := strings.TrimSuffix(b.String(), "&")
	return Request{
		Operation: op.ID, Method: op.Method, Path: op.path(pathArgs), Accept: accept, Write: op.Write,
		ContentType: "application/x-www-form-urlencoded", Shape: ShapeForm, Body: []byte(body), SignatureAt: at,
	}
}

type part struct{ name, contentType, value string }

// multipart builds a multipart/form-data write. The boundary is fixed: the
// fields are Base64, times and names checked not to hold it, and a constant
// makes stored and resent requests comparable byte by byte.
func (op Operation) multipart(parts []part, accept string, pathArgs ...string) (Request, error) {
	const boundary = "cmctl-3f9a1c5e7b2d4860"
	var b bytes.Buffer
	for _, p := range parts {
		if strings.Contains(p.value, boundary) {
			return Request{}, fmt.Errorf("the value of %s holds the multipart boundary %q", p.name, boundary)
		}
		if p.contentType == "" && !ascii(p.value) {
			p.contentType = "text/plain; charset=UTF-8" // containers take a bare part for Latin-1
		}
		b.Write(multipartField(boundary, p.name, p.contentType, []byte(p.value)))
	}
	b.WriteString("--" + boundary + "--\r\n")
	return Request{
		Operation: op.ID, Method: op.Method, Path: op.path(pathArgs), Accept: accept, Write: op.Write,
		ContentType: "multipart/form-data; boundary=" + boundary, Shape: ShapeMultipart, Body: b.Bytes(),
	}, nil
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}

// json builds a JSON write. body must marshal to an object with at least one
// member.
func (op Operation) json(body any, accept string, pathArgs ...string) (Request, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return Request{}, err
	}
	if len(raw) < 3 || raw[0] != '{' {
		return Request{}, fmt.Errorf("the body of %s is not an object with members", op.ID)
	}
	return Request{
		Operation: op.ID, Method: op.Method, Path: op.path(pathArgs), Accept: accept, Write: op.Write,
		ContentType: "application/json", Shape: ShapeJSON, Body: raw, SignatureAt: 1,
	}, nil
}

func (op Operation) path(args []string) string {
	var b strings.Builder
	rest := op.Path
	for _, a := range args {
		open, end := strings.IndexByte(rest, '{'), strings.IndexByte(rest, '}')
		b.WriteString(rest[:open] + url.PathEscape(a))
		rest = rest[end+1:]
	}
	return b.String() + rest
}

func multipartField(boundary, name, contentType string, value []byte) []byte {
	var b bytes.Buffer
	if contentType == "" && bytes.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII }) {
		contentType = "text/plain; charset=UTF-8" // containers take ISO-8859-1 otherwise
	}
	b.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n")
	if contentType != "" {
		b.WriteString("Content-Type: " + contentType + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(value)
	b.WriteString("\r\n")
	return b.Bytes()
}

func boundaryOf(contentType string) string {
	_, b, _ := strings.Cut(contentType, "boundary=")
	return b
}
