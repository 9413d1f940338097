package sandbox

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxBody is the longest request body that is read.
const maxBody = 8 << 20

// param is one name and value of a form, in the order sent.
type param struct {
	name  string
	value []byte
}

// form is a request body: urlencoded or multipart, which are read alike.
type form []param

// errBodyTooLong is what a container answers with 413.
var errBodyTooLong = errors.New("the request body is too long")

// readBody reads the body of a write in the form that its operation has.
func (c *call) readBody() error {
	body, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody+1))
	if err != nil {
		return refuse(codeEncoding, "the body ended early")
	}
	if len(body) > maxBody {
		return errBodyTooLong
	}
	kind := c.r.Header.Get("Content-Type")
	if c.op.json {
		c.body, c.signatures, err = readJSON(kind, body)
		return err
	}
	c.form, err = readForm(kind, body)
	c.signatures = c.form.all("signature")
	return err
}

// readForm reads whatever of the two forms the body has.
func readForm(contentType string, body []byte) (form, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, refuse(codeEncoding, "the Content-Type cannot be read: send application/x-www-form-urlencoded or multipart/form-data")
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		return readURLEncoded(string(body))
	case "multipart/form-data":
		return readMultipart(body, params["boundary"])
	}
	return nil, refuse(codeEncoding, "the body is %s: send application/x-www-form-urlencoded or multipart/form-data", kind)
}

func readURLEncoded(body string) (form, error) {
	var f form
	for _, pair := range strings.Split(body, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, refuse(codeEncoding, "the form is not properly percent-encoded")
		}
		f = append(f, param{n, []byte(v)})
	}
	return f, nil
}

func readMultipart(body []byte, boundary string) (form, error) {
	bad := refuse(codeEncoding, "the multipart body cannot be read")
	if boundary == "" {
		return nil, bad
	}
	var f form
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return nil, bad
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, bad
		}
		if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "base64") {
			// What the transfer encoding hides is what the field holds.
			if value, err = decodeBase64(value); err != nil {
				return nil, bad
			}
		}
		f = append(f, param{part.FormName(), value})
	}
}

// all returns every value of a field, in the order sent.
func (f form) all(name string) [][]byte {
	var out [][]byte
	for _, p := range f {
		if p.name == name {
			out = append(out, p.value)
		}
	}
	return out
}

// octets returns the one value of a field; ok is false when it is absent.
func (f form) octets(name string) (value []byte, ok bool, err error) {
	values := f.all(name)
	switch len(values) {
	case 0:
		return nil, false, nil
	case 1:
		return values[0], true, nil
	}
	return nil, false, refuse(codeBadValue, "%s is given %d times", name, len(values))
}

// text returns the one value of a text field.
func (f form) text(name string) (value string, ok bool, err error) {
	v, ok, err := f.octets(name)
	if err != nil || !ok {
		return "", ok, err
	}
	if !utf8.Valid(v) {
		return "", false, refuse(codeEncoding, "%s is not UTF-8", name)
	}
	return string(v), true, nil
}

// texts returns all values of a text field.
func (f form) texts(name string) ([]string, error) {
	var out []string
	for _, v := range f.all(name) {
		if !utf8.Valid(v) {
			return nil, refuse(codeEncoding, "%s is not UTF-8", name)
		}
		out = append(out, string(v))
	}
	return out, nil
}

// decodeBase64 takes Base64 with or without line breaks. A blank is refused:
// it is what becomes of a plus sign that was not percent-encoded.
func decodeBase64(in []byte) ([]byte, error) {
	return base64.StdEncoding.Strict().DecodeString(string(in)) // skips CR and LF
}
