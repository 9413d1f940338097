package spelling

import "testing"

func TestNearest(t *testing.T) {
	valid := []string{"ca-file", "cert", "key", "server", "sign-cert", "sign-key"}
	for _, tt := range []struct{ word, want string }{
		{"srever", "server"}, {"cafile", "ca-file"}, {"signkey", "sign-key"}, {"certt", "cert"}, {"SERVER", "server"}, {"xyz", ""}, {"", ""},
	} {
		if got := Nearest(tt.word, valid); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"reason", "reason", 0}, {"reasn", "reason", 1}, {"raeson", "reason", 1}, {"wy", "why", 1}, {"", "why", 3}, {"owner", "issuer", 4},
	} {
		if got := Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
