package cmdutil

import (
	"github.com/cmctl/cmctl/pkg/exit"
)

// WrongFiles collects what is wrong with the files that a command line names,
// so that all are told at once.
type WrongFiles struct {
	bad   problems
	first error
}

// Add notes what is wrong with a file; the error names it.
func (w *WrongFiles) Add(err error) {
	if w.first == nil {
		w.first = err
		w.bad.what = "file"
	}
	w.bad.add("", "%v", err)
}

// Err tells every file; nil when none is wrong.
func (w *WrongFiles) Err() error {
	if w.bad.n <= 1 {
		return w.first
	}
	return exit.New(exit.Of(w.first), exit.HintOf(w.first), "%s", w.bad.text())
}
