package cmdutil

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/terminal"
)

const (
	completionTime = 450 * time.Millisecond // a person waits for the Tab key
	completionAge  = time.Minute
)

// CompleteProcedure completes a procedure's id, or its name, from the gateway.
// It is quick, asks nothing, says nothing, and offers nothing when it cannot.
func CompleteProcedure(f *Factory) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return procedureChoices(listForCompletion(f, cmd), typed), cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteProcedureFlag does the same for a flag.
func CompleteProcedureFlag(cmd *cobra.Command, f *Factory, flag string) {
	complete := CompleteProcedure(f)
	_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return complete(cmd, nil, typed)
	})
}

// procedureChoices are the ids that start as typed, each with its name, or the
// names when no id does.
func procedureChoices(list []cmapi.Procedure, typed string) (choices []cobra.Completion) {
	starts := func(s string) bool { return strings.HasPrefix(strings.ToLower(s), strings.ToLower(typed)) }
	for _, p := range list {
		if p.ID != "" && starts(p.ID) {
			choices = append(choices, cobra.CompletionWithDesc(p.ID, oneLine(p.Name)))
		}
	}
	if choices != nil {
		return choices
	}
	for _, p := range list {
		if starts(p.Name) && p.Name == oneLine(p.Name) {
			choices = append(choices, p.Name)
		}
	}
	return choices
}

// oneLine keeps a name from ending the line that a shell reads.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// listForCompletion asks the gateway as an officer whom nobody can ask: what
// wants a password that is not at hand ends at once. A token is left alone,
// since a wrong PIN in a file would be tried at every press of the Tab key.
func listForCompletion(f *Factory, cmd *cobra.Command) []cmapi.Procedure {
	quiet := &Factory{
		Streams: &terminal.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard},
		Env:     f.Env, Version: f.Version, Now: f.Now, flags: cmd.Flags(),
	}
	settings, err := quiet.Settings()
	if err != nil {
		return nil
	}
	store := completionFile(f.Env, settings)
	if list, ok := rememberedProcedures(store, f.Now()); ok {
		return list
	}
	if isToken(settings.TLS) {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	found := make(chan []cmapi.Procedure, 1)
	go func() { // opening a key file may be slow and cannot be called off
		defer close(found)
		client, err := quiet.Client(ctx)
		if err != nil {
			return
		}
		if list, err := client.Procedures.List(ctx); err == nil {
			found <- list
		}
	}()
	select {
	case list, ok := <-found:
		if ok {
			rememberProcedures(store, list)
		}
		return list
	case <-ctx.Done():
		return nil
	}
}

func isToken(p config.Pair) bool {
	return strings.HasPrefix(strings.ToLower(p.Key), "pkcs11:") || strings.HasPrefix(strings.ToLower(p.Cert), "pkcs11:")
}

// completionFile is where the procedures of one gateway, as one officer sees
// them, are remembered; "" when there is no folder for state.
func completionFile(env config.Lookup, s *config.Settings) string {
	dir := config.StateDir(env)
	if dir == "" {
		return ""
	}
	who := sha256.Sum256([]byte(strings.Join([]string{s.ContextName, s.Server, s.TLS.Cert, s.TLS.Key}, "\x00")))
	return filepath.Join(dir, "completion", "procedures-"+hex.EncodeToString(who[:8])+".json")
}

func rememberedProcedures(file string, now time.Time) ([]cmapi.Procedure, bool) {
	st, err := os.Stat(file)
	if err != nil || now.Sub(st.ModTime()).Abs() > completionAge {
		return nil, false
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, false
	}
	var list []cmapi.Procedure
	return list, json.Unmarshal(data, &list) == nil
}

func rememberProcedures(file string, list []cmapi.Procedure) {
	data, err := json.Marshal(list)
	if file == "" || err != nil || os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return
	}
	out, err := new(OutFiles).Create(file, true)
	if err != nil {
		return
	}
	_ = out.Commit(data) // the next press of the key asks again
}
