package sandboxcli

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/sandbox"
)

// TestMain makes the test binary the program itself when told to, so that
// signals can be sent to one.
func TestMain(m *testing.M) {
	if os.Getenv("BE_CMCTL_SANDBOX") != "" {
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func run(stdin string, args ...string) (status int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	status = Main(args, strings.NewReader(stdin), &out, &errOut)
	return status, out.String(), errOut.String()
}

// programCommand runs the test binary as cmctl-sandbox.
func programCommand(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "BE_CMCTL_SANDBOX=1")
	return cmd
}

func TestWrongCommandLines(t *testing.T) {
	for _, c := range []struct {
		args     []string
		expected string // what stderr must say was expected
	}{
		{[]string{"serve", "--nonsense"}, "--help"},
		{[]string{"serve", "extra"}, "extra"},
		{[]string{"nonsense"}, "nonsense"},
		{[]string{"exec"}, "command to run"},
		{[]string{"exec", "--"}, "command to run"},
		{[]string{"serve", "--addr", "0.0.0.0:0"}, "--allow-remote"},
		{[]string{"serve", "--addr", "nonsense"}, "HOST:PORT"},
		{[]string{"exec", "--certs", "many", "--", "true"}, "a number"},
		{[]string{"exec", "--certs", "-1", "--", "true"}, "0 or more"},
		{[]string{"exec", "--signing", "me", "--", "true"}, "caller or vro"},
		{[]string{"exec", "--latency", "2", "--", "true"}, "200ms"},
		{[]string{"exec", "--rate", "x", "--", "true"}, "a number"},
		{[]string{"exec", "--tls-max", "1.1", "--", "true"}, "1.2 or 1.3"},
		{[]string{"exec", "--clock", "tomorrow", "--", "true"}, "2026-01-31"},
		{[]string{"exec", "--base-path", "api", "--", "true"}, "/pgwy/api"},
		{[]string{"exec", "--max-hits", "0", "--", "true"}, "1 or more"},
		{[]string{"exec", "--max-hits-mode", "x", "--", "true"}, "clamp or page or total"},
		{[]string{"exec", "--bounds", "x", "--", "true"}, "exclusive or inclusive"},
		{[]string{"exec", "--quirks", "x", "--", "true"}, "examples or declared"},
		{[]string{"exec", "--officer", "/nowhere.pem", "--", "true"}, "PEM certificate"},
		{[]string{"exec", "--fault", "x", "--", "true"}, "OPERATION:WHEN:WHAT"},
		{[]string{"exec", "--fault", "x:before:busy", "--", "true"}, "revokeCertificate"},
		{[]string{"exec", "--fault", "*:before:explode", "--", "true"}, "maxparams=N"},
	} {
		status, stdout, stderr := run("", c.args...)
		if status != 2 || stdout != "" || !strings.HasPrefix(stderr, "cmctl-sandbox: ") || !strings.Contains(stderr, c.expected) {
			t.Errorf("%v: status %d, stdout %q, stderr %q", c.args, status, stdout, stderr)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	status, stdout, stderr := run("", "version")
	if status != 0 || !strings.HasPrefix(stdout, "cmctl-sandbox ") || stderr != "" {
		t.Errorf("version: %d %q %q", status, stdout, stderr)
	}
	for _, args := range [][]string{nil, {"--help"}, {"serve", "--help"}, {"exec", "--help"}} {
		if status, stdout, _ := run("", args...); status != 0 || !strings.Contains(stdout, "Usage:") {
			t.Errorf("%v: %d %q", args, status, stdout)
		}
	}
	// Every flag of the contract is in the help of both.
	for _, verb := range []string{"serve", "exec"} {
		_, stdout, _ := run("", verb, "--help")
		for _, f := range []string{"certs", "signing", "latency", "rate", "tls-max", "clock", "base-path", "max-hits", "max-hits-mode", "bounds", "quirks", "officer", "fault", "allow-remote"} {
			if !strings.Contains(stdout, "--"+f+" ") {
				t.Errorf("%s --help lacks --%s", verb, f)
			}
		}
	}
}

func TestExecStatus(t *testing.T) {
	unrunnable := filepath.Join(t.TempDir(), "unrunnable")
	if err := os.WriteFile(unrunnable, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	busyDir := filepath.Join(t.TempDir(), "not-a-folder")
	for _, c := range []struct {
		name string
		args []string
		want int
	}{
		{"success", []string{"true"}, 0},
		{"the command's own", []string{"sh", "-c", "exit 7"}, 7},
		{"the command's own 2", []string{"sh", "-c", "exit 2"}, 2},
		{"by signal", []string{"sh", "-c", "kill -TERM $$"}, 143},
		{"not found", []string{"/no/such/command"}, 127},
		{"not found in the path", []string{"no-such-command-anywhere"}, 127},
		{"cannot be run", []string{unrunnable}, 126},
	} {
		if status, _, stderr := run("", append([]string{"exec", "--"}, c.args...)...); status != c.want {
			t.Errorf("%s: %d, want %d; %s", c.name, status, c.want, stderr)
		}
	}
	t.Setenv("TMPDIR", busyDir) // no folder can be made there
	if status, _, stderr := run("", "exec", "--", "true"); status != 125 || !strings.Contains(stderr, "cmctl-sandbox: ") {
		t.Errorf("a sandbox that fails: %d %s", status, stderr)
	}
}

func TestExecRunsTheCommand(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("CMCTL_SERVER", "https://prod.example.com")
	t.Setenv("CMCTL_PIN", "0000")
	t.Setenv("CMCTL_CONTEXT", "prod")
	t.Setenv("CMCTL_CONFIG", "/prod.yaml")
	t.Setenv("CMCTL_STATE_DIR", "/prod-state")
	t.Setenv("CMCTL_NO_COLOR", "1")
	status, stdout, stderr := run("from stdin", "exec", "--certs", "12", "--", "sh", "-c", `
cat; echo
cd "$CMSANDBOX_DIR"
[ "$CMCTL_CONFIG" = "$PWD/config.yaml" ] && [ "$CMCTL_STATE_DIR" = "$PWD/state" ] && [ -d state ] || echo wrong
env | grep -E '^CMCTL_' | grep -vE '^CMCTL_(CONFIG|STATE_DIR)='
pwd
curl -sS --cacert ca.pem --cert officer.pem --key officer.key "$(cat url)/certificates?searchLimit=0"
echo to stderr >&2
( . ./sandbox.env; echo "${CMCTL_PIN-unset} $CMSANDBOX_DIR" )
`)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if status != 0 || stderr != "to stderr\n" || len(lines) != 5 {
		t.Fatalf("%d\n%s\n%s", status, stdout, stderr)
	}
	dir := lines[2]
	if lines[0] != "from stdin" || lines[1] != "CMCTL_NO_COLOR=1" || !strings.HasPrefix(lines[3], `{"error":0,"msg":"done","searchHits":`) || lines[4] != "unset "+dir {
		t.Errorf("%q", lines)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

// Flags after the command are the command's own.
func TestExecLeavesTheCommandsFlags(t *testing.T) {
	if status, stdout, _ := run("", "exec", "echo", "--certs", "5"); status != 0 || stdout != "--certs 5\n" {
		t.Errorf("%d %q", status, stdout)
	}
}

func TestServe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with space")
	cmd := programCommand("serve", "--addr", "127.0.0.1:0", "--dir", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if err != nil || !strings.Contains(first, "SANDBOX") {
		t.Errorf("it does not say what it is: %q, %v", first, err)
	}
	second, err := lines.ReadString('\n')
	url, err2 := os.ReadFile(filepath.Join(dir, "url"))
	if err != nil || err2 != nil || !strings.Contains(second, strings.TrimSpace(string(url))) {
		t.Errorf("%q does not name %q: %v %v", second, url, err, err2)
	}
	got, err := exec.Command("sh", "-c", fmt.Sprintf(`. '%s/sandbox.env' && cd "$CMSANDBOX_DIR" && curl -sS --cacert ca.pem --cert officer.pem --key officer.key "$(cat url)/procedures"`, dir)).CombinedOutput()
	if err != nil || !strings.Contains(string(got), `"error":0`) {
		t.Errorf("%s %v", got, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped by SIGTERM: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "officer.key")); err != nil {
		t.Error(err)
	}
}

// Options of the embedding program come on top of the flags.
func TestMainTakesOptions(t *testing.T) {
	var paths []string
	mw := sandbox.WithMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			paths = append(paths, r.URL.Path)
			next.ServeHTTP(w, r)
		})
	})
	var out, errOut bytes.Buffer
	status := Main([]string{"exec", "--", "sh", "-c", `cd "$CMSANDBOX_DIR" && curl -sS --cacert ca.pem --cert officer.pem --key officer.key "$(cat url)/procedures"`},
		strings.NewReader(""), &out, &errOut, mw)
	if status != 0 || len(paths) != 1 || paths[0] != "/pgwy/api/procedures" {
		t.Errorf("%d %v %s%s", status, paths, out.String(), errOut.String())
	}
}

func TestReadClock(t *testing.T) {
	for s, want := range map[string]string{
		"2026-01-31T12:00:00Z":      "2026-01-31T12:00:00Z",
		"2026-01-31T12:00:00+02:00": "2026-01-31T10:00:00Z",
		"2026-01-31":                "2026-01-31T00:00:00Z",
		"31.1.2026":                 "",
		"":                          "",
	} {
		got, err := readClock(s)
		if (err == nil) != (want != "") || err == nil && got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}
