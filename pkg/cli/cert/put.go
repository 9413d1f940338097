package cert

import (
	"errors"
	"fmt"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
)

// notWrittenError is an answer that could not be written where it was wanted.
type notWrittenError struct{ err *exit.Error }

func (e *notWrittenError) Error() string       { return e.err.Error() }
func (e *notWrittenError) Unwrap() error       { return e.err.Err }
func (e *notWrittenError) ExitCode() exit.Code { return exit.Failure }
func (e *notWrittenError) Hint() string        { return e.err.Advice }

// put writes one answer to its file or to standard output, and its record.
func (o *issuing) put(c *csr, got *issued, file *cmdutil.OutFile, records bool, w *output.Writer[stored], opt output.Options) error {
	data, rec := got.data, got.record
	if o.target.form == formPEM {
		data = endLine(data)
	}
	if file != nil {
		fields := c.fields
		fields.CertID, fields.Serial = rec.CertID, rec.Serial.String()
		if err := o.target.commit(file, fields, data); err != nil {
			return o.keep(rec.CertID, data, err)
		}
		rec.File, rec.PEM = file.Path, ""
	}
	if records {
		return w.Write(rec)
	}
	o.f.Notice("issued certificate %s, serial %s", rec.CertID, rec.Serial)
	_, err := output.Raw(opt.Out).Write(data)
	return err
}

// keep saves an answer that could not be written: it cannot be had again when
// it holds keys.
func (o *issuing) keep(certID string, data []byte, cause error) error {
	what, name := o.noun, "issued"
	if certID != "" {
		what, name = o.noun+" "+certID, certID
	}
	path, err := o.f.Keep(name+"."+string(o.target.form), data)
	if err == nil {
		hint := "move it to where it belongs"
		return &notWrittenError{exit.New(exit.Failure, hint, "%s was issued, but %w; it is kept in %s", what, cause, path)}
	}
	hint := "fetch it with `cmctl cert download " + certID + "`"
	if o.target.form.holdsKeys() {
		hint = "the key is lost: revoke it with `cmctl cert revoke " + certID + " --reason superseded`"
	}
	return &notWrittenError{exit.New(exit.Failure, hint, "%s was issued, but %w, and %w", what, cause, err)}
}

// keepUnusable saves an answer that is not what was asked for.
func (o *issuing) keepUnusable(err error) error {
	var unusable *ops.UnusableError
	if !errors.As(err, &unusable) {
		return err
	}
	id := unusable.Got.CertID
	name := id
	if id == "" {
		name = "issued"
	}
	path, kept := o.f.Keep(name+"."+string(o.target.form), unusable.Got.Bytes)
	text := err.Error()
	if id != "" {
		text = fmt.Sprintf("%s %s: %s", o.noun, id, text)
	}
	hint := "if it is of no use, revoke the certificate and ask again"
	if kept != nil {
		return exit.New(exit.Failure, hint, "%s; %w", text, kept)
	}
	return exit.New(exit.Failure, hint, "%s; it is kept in %s", text, path)
}
