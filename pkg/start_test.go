package pkg_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// compiledAtStart finds variables of a file whose regular expression or template
// is compiled before main runs: one costs each start up to a tenth of it.
func compiledAtStart(f *ast.File) (names []string) {
	costly := []string{"regexp.MustCompile", "regexp.Compile", "template.Must"}
	for _, d := range f.Decls {
		if decl, ok := d.(*ast.GenDecl); ok && decl.Tok == token.VAR {
			ast.Inspect(decl, func(n ast.Node) bool {
				if _, later := n.(*ast.FuncLit); later {
					return false
				}
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
					if pkg, ok := sel.X.(*ast.Ident); ok && slices.Contains(costly, pkg.Name+"."+sel.Sel.Name) {
						names = append(names, pkg.Name+"."+sel.Sel.Name)
					}
				}
				return true
			})
		}
	}
	return names
}

func TestNothingIsCompiledAtStart(t *testing.T) {
	others := []string{"sandbox", "clitest", "docgen"} // cmctl has none of these
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(others, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, name := range compiledAtStart(f) {
			t.Errorf("%s: %s in a variable: put it into sync.OnceValue", path, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The finder itself.
func TestCompiledAtStart(t *testing.T) {
	for src, want := range map[string]int{
		"package p; var a = regexp.MustCompile(`x`)":                                                  1,
		"package p; var ( a = 1; b = []any{regexp.MustCompile(`x`)} )":                                1,
		"package p; var a = sync.OnceValue(func() any { return regexp.MustCompile(`x`) })":            0,
		"package p; func f() { a := regexp.MustCompile(`x`); _ = a }; var b = regexp.QuoteMeta(`x.`)": 0,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "p.go", src, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(compiledAtStart(f)); got != want {
			t.Errorf("%s: found %d, want %d", src, got, want)
		}
	}
}
