package cmapi

import (
	"strings"
	"testing"
)

func TestNonASCIIFieldsSayTheirCharset(t *testing.T) {
	for _, c := range []struct {
		name, procedure string
		want            bool
	}{{"plain", "PKCS#10 Procedure", false}, {"swedish", "Utfärda åt nät", true}} {
		r, err := NewIssue(IssueRequest{PKCS10: []byte{1}, Procedure: c.procedure, Media: MediaPEM})
		if err != nil {
			t.Fatal(err)
		}
		part := "name=\"procname\"\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n" + c.procedure
		if got := strings.Contains(string(r.Body), part); got != c.want {
			t.Errorf("%s: charset said: %v, want %v in\n%s", c.name, got, c.want, r.Body)
		}
	}
}
