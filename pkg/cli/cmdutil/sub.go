package cmdutil

import "github.com/spf13/cobra"

// Sub is a command below another, by the name under which a line asks for it.
type Sub = struct {
	Name string
	New  func(*Factory) *cobra.Command
}

// StartLine says which words the command line starts with, for AddSubs.
func (f *Factory) StartLine(words []string) { f.line = words }

// AddSubs adds the command that the line's next word names, and all of them
// when it names none: to make them all takes a third of a short run.
func (f *Factory) AddSubs(cmd *cobra.Command, subs ...Sub) {
	if len(f.line) > 0 {
		word := f.line[0]
		f.line = f.line[1:]
		for _, s := range subs {
			if s.Name == word {
				cmd.AddCommand(s.New(f))
				return
			}
		}
		f.line = nil // the rest is for another part of the tree
	}
	for _, s := range subs {
		cmd.AddCommand(s.New(f))
	}
}
