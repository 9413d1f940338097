package cert

import (
	"errors"
	"fmt"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
)

// put writes one answer to its file, where it has one, and makes its record.
// data is what standard output is to have when that prints no records.
func (o *issuing) put(c *csr, got *issued, file *cmdutil.OutFile) (rec stored, data []byte, err error) {
	data, rec = got.data, got.record
	if o.target.form == formPEM {
		data = endLine(data)
	}
	if file != nil {
		fields := c.fields
		fields.CertID, fields.Serial = rec.CertID, rec.Serial.String()
		if err := o.target.commit(file, fields, data); err != nil {
			// What was issued is there all the same: its record is not lost with the file.
			path, err := o.keep(rec.CertID, data, err)
			rec.File = path
			return rec, nil, err
		}
		rec.File, rec.PEM = file.Path, ""
	}
	return rec, data, nil
}

// what names what was issued, for messages.
func (o *issuing) what(certID string) string {
	if certID == "" {
		return "the " + o.noun
	}
	return o.noun + " " + certID
}

// keep tells that an answer could not be written. One that holds keys cannot
// be had again and goes to the state folder; path is where it is then.
func (o *issuing) keep(certID string, data []byte, cause error) (path string, err error) {
	if !o.target.form.holdsKeys() {
		hint := "the record has it"
		if certID != "" {
			hint = "fetch it with `cmctl cert download " + certID + "`"
		}
		return "", exit.New(exit.Failure, hint, "%s was issued, but %w", o.what(certID), cause)
	}
	path, kept := o.f.Keep(keptName(certID, o.target.form), data)
	if kept == nil {
		return path, exit.New(exit.Failure, "move it to where it belongs", "%s was issued, but %w; it is kept in %s", o.what(certID), cause, path)
	}
	hint := "the key is lost: revoke what was issued"
	if certID != "" {
		hint = "the key is lost: revoke it with `cmctl cert revoke " + certID + " --reason superseded`"
	}
	return "", exit.New(exit.Failure, hint, "%s was issued, but %w, and %w", o.what(certID), cause, kept)
}

func keptName(certID string, form form) string {
	if certID == "" {
		certID = "issued"
	}
	return certID + "." + string(form)
}

// keepUnusable saves an answer that is not what was asked for.
func (o *issuing) keepUnusable(err error) error {
	var unusable *ops.UnusableError
	if !errors.As(err, &unusable) {
		return err
	}
	id := unusable.Got.CertID
	text := fmt.Sprintf("%s: %s", o.what(id), err)
	const hint = "if it is of no use, revoke what was issued and ask again"
	path, kept := o.f.Keep(keptName(id, o.target.form), unusable.Got.Bytes)
	if kept != nil {
		return exit.New(exit.Failure, hint, "%s; %w", text, kept)
	}
	return exit.New(exit.Failure, hint, "%s; it is kept in %s", text, path)
}
