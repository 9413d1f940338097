package pki

import (
	"net"
	"net/mail"
	"net/url"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// AltNames are subject alternative names.
type AltNames struct {
	DNS    []string
	IPs    []net.IP
	Emails []string
	URIs   []*url.URL
}

const altNameHint = "write dns:web.example.com, ip:192.0.2.1, email:someone@example.com or uri:https://example.com/"

func (n *AltNames) empty() bool {
	return len(n.DNS) == 0 && len(n.IPs) == 0 && len(n.Emails) == 0 && len(n.URIs) == 0
}

// Add reads one name with its kind in front: dns:, ip:, email: or uri:.
func (n *AltNames) Add(text string) error {
	kind, value, ok := strings.Cut(strings.TrimSpace(text), ":")
	if !ok || value == "" {
		return exit.Usagef(altNameHint, "%q is no alternative name: its kind is missing", clip(text))
	}
	bad := func(what string) error {
		return exit.Usagef(altNameHint, "%q is no %s", clip(value), what)
	}
	for _, r := range value {
		if r <= ' ' || r > '~' {
			return exit.Usagef("names are ASCII; a domain name in other letters is written in its xn-- form", "%q has a character that an alternative name cannot have: %q", clip(value), r)
		}
	}
	switch strings.ToLower(kind) {
	case "dns":
		if !isDNSName(value) {
			return bad("domain name")
		}
		n.DNS = append(n.DNS, value)
	case "ip":
		ip := net.ParseIP(value)
		if ip == nil {
			return bad("IP address")
		}
		if v4 := ip.To4(); v4 != nil {
			ip = v4
		}
		n.IPs = append(n.IPs, ip)
	case "email":
		if a, err := mail.ParseAddress(value); err != nil || a.Address != value {
			return bad("mail address")
		}
		n.Emails = append(n.Emails, value)
	case "uri":
		u, err := url.Parse(value)
		if err != nil || !u.IsAbs() {
			return bad("absolute URI")
		}
		n.URIs = append(n.URIs, u)
	default:
		return exit.Usagef(altNameHint, "%q is no kind of alternative name", clip(kind))
	}
	return nil
}

// isDNSName takes host names, with underscores and a star as the first label.
func isDNSName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for i, label := range strings.Split(s, ".") {
		if label == "*" && i == 0 && strings.Contains(s, ".") {
			continue
		}
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	return true
}

// List is every name without its kind: domain names, mail addresses, IP
// addresses, URIs.
func (n AltNames) List() []string {
	all := append(append([]string(nil), n.DNS...), n.Emails...)
	for _, ip := range n.IPs {
		all = append(all, ip.String())
	}
	for _, u := range n.URIs {
		all = append(all, u.String())
	}
	return all
}
