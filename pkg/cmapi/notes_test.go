package cmapi

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each ambiguity of the API's description has a numbered line in
// docs/api-notes.md, and a file of testdata/wire that feeds its odd form to the
// client or holds what the client sends in its place; or a test that is named
// here, where nothing crosses the wire.
func TestEveryNoteHasATest(t *testing.T) {
	elsewhere := map[int]string{
		19: "../../testdata/script/input/reason.txtar", // refused before anything is sent
		32: "registrations_test.go",                    // as well
	}
	docs, err := os.ReadFile("../../docs/api-notes.md")
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 42; n++ {
		if !regexp.MustCompile(fmt.Sprintf(`(?m)^%d\. \S`, n)).Match(docs) {
			t.Errorf("note %d has no line in docs/api-notes.md", n)
		}
		files, err := filepath.Glob(fmt.Sprintf("%s/*note%02d-*", wireDir, n))
		if err != nil {
			t.Fatal(err)
		}
		named, ok := elsewhere[n]
		switch {
		case ok && len(files) > 0:
			t.Errorf("note %d has files in testdata/wire: it needs no exception", n)
		case ok:
			text, err := os.ReadFile(named)
			if err != nil || !strings.Contains(string(text), fmt.Sprintf("note %d", n)) {
				t.Errorf("%s does not say that it is about note %d: %v", named, n, err)
			}
		case len(files) == 0:
			t.Errorf("note %d has no file in testdata/wire", n)
		}
	}
}
