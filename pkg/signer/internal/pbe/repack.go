package pbe

import (
	"path/filepath"
	"strings"
)

// Quote writes a file name as one word of a POSIX shell.
func Quote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+,:=@%"
	if s != "" && strings.Trim(s, plain) == "" && s[0] != '-' {
		return s
	}
	if strings.HasPrefix(s, "-") {
		s = "./" + s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// NewName is the name for the repacked copy of a file: officer-new.pem for
// officer.p12.
func NewName(name, ext string) string {
	return strings.TrimSuffix(name, filepath.Ext(name)) + "-new" + ext
}
