package sandboxcli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/cmctl/cmctl/pkg/exit"
	"github.com/cmctl/cmctl/pkg/sandbox"
	"github.com/spf13/cobra"
)

func (p *program) serve() *cobra.Command {
	var opts sandbox.Options
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a sandbox until it is stopped",
		Long: `Run a sandbox until it is stopped, and print how to reach it.

Without --dir everything is gone at the end. With --dir the folder holds keys,
certificates and the database, and the next start goes on from there.
` + faultHelp,
		Example: `  cmctl-sandbox serve
  cmctl-sandbox serve --dir ./sandbox --certs 20000
  . ./sandbox/sandbox.env; cmctl cert search --limit 5`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.runServe(cmd.Context(), opts) },
	}
	cmd.Flags().StringVar(&opts.Addr, "addr", sandbox.DefaultAddr, "`HOST:PORT` to serve on; port 0 takes a free one")
	cmd.Flags().StringVar(&opts.Dir, "dir", "", "`DIR` that keeps everything over a restart: an empty or new one, or one that a sandbox made")
	addFlags(cmd.Flags(), &opts)
	return cmd
}

func (p *program) runServe(ctx context.Context, opts sandbox.Options) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	s, err := sandbox.Start(ctx, p.with(opts))
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while it was made
		}
		return err
	}
	if _, err := fmt.Fprint(p.stdout, banner(s)); err != nil {
		return errors.Join(err, s.Close())
	}
	select {
	case <-ctx.Done():
	case err := <-s.Done():
		if !errors.Is(err, http.ErrServerClosed) {
			return errors.Join(exit.New(exit.Failure, "", "the sandbox stopped serving: %w", err), s.Close())
		}
	}
	return s.Close()
}

// with applies what the embedding program wants on top of the flags.
func (p *program) with(opts sandbox.Options) sandbox.Options {
	for _, o := range p.extra {
		o(&opts)
	}
	return opts
}

func banner(s *sandbox.Server) string {
	return fmt.Sprintf(`*** SANDBOX: not a real gateway. Its keys are in the clear, its certificates worth nothing. ***
API      %s
folder   %s
officer  officer.pem, officer.key, or officer.p12 (password %s); trust ca.pem
cmctl    . '%s/sandbox.env'
curl     curl --cacert ca.pem --cert officer.pem --key officer.key '%s/certificates?searchLimit=5'
`, s.URL, s.Dir, sandbox.P12Password, s.Dir, s.URL)
}
