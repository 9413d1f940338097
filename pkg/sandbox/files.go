package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
	"software.sslmate.com/src/go-pkcs12"
)

// P12Password opens the PKCS#12 files in a sandbox's folder.
const P12Password = "1234"

// SKIPPassword opens the private keys of a secure key injection package. The
// API has no field for one: on a real gateway the device's maker knows it.
const SKIPPassword = "sandbox-skip"

// StateDir is the folder below Server.Dir for cmctl's state, so that a drill
// does not touch the officer's own.
const StateDir = "state"

// writeFiles writes what callers look for in the folder. Keys and PKCS#12 of a
// folder that was there before stay as they are.
func (h *home) writeFiles(url string) error {
	if err := os.MkdirAll(filepath.Join(h.dir, StateDir), 0o700); err != nil {
		return err
	}
	for i := range h.people {
		if err := h.people[i].writeP12(h.dir); err != nil {
			return err
		}
	}
	if h.foreign != nil {
		if err := writeFile(h.dir, "foreign-ca.pem", pemOf(h.foreign.ca.Raw)); err != nil {
			return err
		}
		if err := writeFile(h.dir, "foreign.pem", pemOf(h.foreign.leaf.Raw)); err != nil {
			return err
		}
	}
	if err := writeFile(h.dir, "ca.pem", pemOf(h.ca.Root.Cert.Raw)); err != nil {
		return err
	}
	if err := h.writeConfig(url); err != nil {
		return err
	}
	if err := writeFile(h.dir, "sandbox.env", []byte(h.envFile())); err != nil {
		return err
	}
	return writeFile(h.dir, "url", []byte(url+"\n"))
}

func (p *person) writeP12(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, p.name+".p12")); err == nil {
		return nil
	}
	data, err := pkcs12.Modern2023.Encode(p.key, p.cert, p.chain()[1:], P12Password)
	if err != nil {
		return err
	}
	return writeFile(dir, p.name+".p12", data)
}

// writeConfig writes contexts for all three people. One that is there and
// names this URL stays: its owner may have added to it.
func (h *home) writeConfig(url string) error {
	if old, err := os.ReadFile(filepath.Join(h.dir, "url")); err == nil && strings.TrimSpace(string(old)) == url {
		if _, err := os.Stat(filepath.Join(h.dir, "config.yaml")); err == nil {
			return nil
		}
	}
	type context struct {
		Server string `yaml:"server"`
		CAFile string `yaml:"ca-file"`
		Cert   string `yaml:"cert"`
		Key    string `yaml:"key"`
	}
	config := struct {
		Current  string             `yaml:"current-context"`
		Contexts map[string]context `yaml:"contexts"`
	}{"sandbox", map[string]context{}}
	for name, person := range map[string]string{"sandbox": "officer", "sandbox2": "officer2", "guest": "guest"} {
		config.Contexts[name] = context{url, "ca.pem", person + ".pem", person + ".key"}
	}
	data, err := yaml.Marshal(config)
	if err != nil {
		return err
	}
	return writeFile(h.dir, "config.yaml", append([]byte("# Made by cmctl-sandbox: nothing in here is real.\n"), data...))
}

// ConnectionVariables are the variables by which cmctl finds a gateway and
// keys. An officer's own must not reach a sandbox: a PIN would be tried on the
// wrong key, or worse, the command would reach the real gateway.
func ConnectionVariables() []string {
	return []string{"CMCTL_CONTEXT", "CMCTL_SERVER", "CMCTL_CA_FILE", "CMCTL_TLS_SERVER_NAME",
		"CMCTL_CERT", "CMCTL_KEY", "CMCTL_PIN", "CMCTL_PIN_FILE",
		"CMCTL_SIGN_CERT", "CMCTL_SIGN_KEY", "CMCTL_SIGN_PIN", "CMCTL_SIGN_PIN_FILE"}
}

// Environment is what makes cmctl use the sandbox in dir.
func Environment(dir string) []string {
	return []string{
		"CMCTL_CONFIG=" + filepath.Join(dir, "config.yaml"),
		"CMCTL_STATE_DIR=" + filepath.Join(dir, StateDir),
		"CMSANDBOX_DIR=" + dir,
	}
}

func (h *home) envFile() string {
	var b strings.Builder
	b.WriteString("# Made by cmctl-sandbox: read it into a shell with a dot, and cmctl uses the sandbox.\n")
	for _, v := range Environment(h.dir) {
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	fmt.Fprintf(&b, "unset %s\n", strings.Join(ConnectionVariables(), " "))
	return b.String()
}
