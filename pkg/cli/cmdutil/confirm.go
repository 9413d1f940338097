package cmdutil

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/ops"
	"github.com/cmctl/cmctl/pkg/output"
	"github.com/cmctl/cmctl/pkg/pki"
	"github.com/cmctl/cmctl/pkg/terminal"
)

// Limits guard a write against a list that is longer than meant.
type Limits struct {
	Max    int // most items; -1: not given
	Expect int // exact number of items; -1: not given
}

// AddLimitFlags adds --max and --expect. They have neither variable nor config
// key: each run says it anew.
func AddLimitFlags(cmd *cobra.Command, l *Limits) {
	CountFlag(cmd, &l.Max, "max", -1, 0, "refuse when more than `N` items are named")
	CountFlag(cmd, &l.Expect, "expect", -1, 0, "refuse unless exactly `N` items are named; with --yes it is needed in a protected context and, or --max, for more than 100 items")
}

const (
	manyItems = 100 // above: the number is typed, or said with --expect or --max

	// ShownItems is up to how many items the question shows each.
	ShownItems = 20
)

// Check refuses a number of items that was not meant; nothing was sent yet.
func (l Limits) Check(f *Factory, n int) error {
	s, err := f.Settings()
	if err != nil {
		return err
	}
	switch {
	case l.Expect >= 0 && n != l.Expect:
		return exit.Usagef("", "--expect %d: %s named", l.Expect, areItems(n))
	case l.Max >= 0 && n > l.Max:
		return exit.Usagef("", "--max %d: %s named", l.Max, areItems(n))
	case !f.Yes():
		return nil
	case s.Protected && l.Expect < 0:
		return exit.Usagef("", "context %q is protected: --yes needs --expect N as well", s.ContextName)
	case n > manyItems && l.Expect < 0 && l.Max < 0:
		return exit.Usagef("", "%s named: more than %d need --expect N or --max N beside --yes", areItems(n), manyItems)
	}
	return nil
}

func areItems(n int) string {
	if n == 1 {
		return "1 item is"
	}
	return fmt.Sprintf("%d items are", n)
}

// Write is what the question before a write tells.
type Write struct {
	Describe   string   // "revoke with reason keyCompromise"
	Undo       string   // the command that undoes it; empty: none
	Noun       string   // "certificate"
	Count      int      // items
	Items      []string // lines that show them; nil: too many
	Signatures int      // at most, as far as can be told beforehand
	Rate       int      // most items a second, as wished; 0: none
}

// tokenSignature is about how long a smart card takes for a signature.
const tokenSignature = 500 * time.Millisecond

// expected says how long a write of many items takes at least, as far as that
// can be told before it has begun: by the wished rate, and by a card's pace. ""
// when only the gateway decides.
func (w Write) expected(now time.Time, token bool) string {
	var least time.Duration
	if w.Rate > 0 {
		least = time.Duration(w.Count/w.Rate) * time.Second
	}
	if token {
		least = max(least, time.Duration(w.Signatures)*tokenSignature)
	}
	if least < 2*time.Second {
		return ""
	}
	return fmt.Sprintf("; takes about %s, to %s", least.Round(time.Second), pki.FormatTime(now.Add(least)))
}

// Confirm asks the officer before a write unless --yes was given. A no ends
// with Declined.
func Confirm(ctx context.Context, f *Factory, w Write) error {
	s, err := f.Settings()
	if err != nil {
		return err
	}
	if f.Yes() && !onToken(s.Sign) {
		return nil
	}
	officer, err := f.Officer(ctx)
	if err != nil {
		return err
	}
	if f.Yes() {
		f.plan(officer, w.Signatures, false)
		return f.agreed(ctx, officer)
	}
	var b strings.Builder
	target := s.Server
	if s.ContextName != "" {
		target = fmt.Sprintf("context %s, %s", s.ContextName, s.Server)
	}
	if s.Protected {
		target = "PROTECTED " + target
	}
	fmt.Fprintf(&b, "Gateway:  %s\nOfficer:  %s\n", target, output.Escape(pki.DN(officer.Leaf.RawSubject)))
	for _, it := range w.Items {
		fmt.Fprintf(&b, "  %s\n", it)
	}
	undo := "this cannot be undone"
	if w.Undo != "" {
		undo = "undone by `" + w.Undo + "`"
	}
	fmt.Fprintf(&b, "Write:    %s: %s; %s\nTo come:  %s, %s%s\n", w.Describe, Plural(w.Count, w.Noun), undo, Plural(w.Signatures, "signature"), pinEntries(officer, w.Signatures), w.expected(f.Now(), onToken(s.Sign)))
	p := f.Prompter()
	if err := p.Check(terminal.Question{Flag: "--yes"}); err != nil {
		return err
	}
	if _, err := io.WriteString(f.Streams.Err, b.String()); err != nil {
		return err
	}
	var ok bool
	if w.Count > manyItems || s.Protected {
		ok, err = p.TypeNumber(ctx, terminal.Question{Text: fmt.Sprintf("Type the number of %ss to go on", w.Noun), Flag: "--yes with --expect N"}, w.Count)
	} else {
		ok, err = p.Confirm(ctx, terminal.Question{Text: strings.ToUpper(w.Describe[:1]) + w.Describe[1:] + "?", Flag: "--yes"})
	}
	switch {
	case err != nil:
		return err
	case !ok:
		return exit.New(exit.Declined, "", "declined: nothing was sent")
	}
	f.plan(officer, w.Signatures, true)
	return nil
}

// AskFirst refuses early, before anything is read from the gateway, when a
// question is due that nobody can be asked.
func AskFirst(f *Factory) error {
	if f.Yes() {
		return nil
	}
	return f.Prompter().Check(terminal.Question{Flag: "--yes"})
}

// DescribeItems shows up to 20 certificates as the gateway has them; nil when
// there are more.
func DescribeItems(ctx context.Context, c *cmapi.Client, items []ops.Item) ([]string, error) {
	if len(items) > ShownItems {
		return nil, nil
	}
	lines := make([]string, len(items))
	for i, it := range items {
		cert, err := c.Certificates.Details(ctx, it.Key)
		var call *cmapi.Error
		switch {
		case err != nil && errors.As(err, &call) && call.ExitCode() == exit.NotFound:
			lines[i] = it.Key + "  not known to the gateway"
			continue
		case err != nil:
			return nil, err
		}
		state := StateWords(cert)
		if cert.SubjectType == "CA" { // more is at stake than with any other
			state += "  CA CERTIFICATE"
		}
		lines[i] = output.Escape(fmt.Sprintf("%s  %s  %s", cert.CertID, state, cert.Subject)) + "\n    " +
			output.Escape(fmt.Sprintf("serial %s, valid %s to %s", cert.Serial, DateText(cert.ValidFrom), DateText(cert.ValidTo))) + "\n    " +
			output.Escape("issued by "+cert.Issuer)
	}
	return lines, nil
}

// OnHold is the state of a certificate that is revoked until it is reinstated.
const OnHold = "on hold"

// StateWords is the state of a certificate as tables print it.
func StateWords(c *cmapi.Certificate) string {
	switch {
	case c.OnHold():
		return OnHold
	case c.Status == cmapi.StatusRevoked && c.Reason != "":
		return "revoked"
	}
	return c.Status
}
