package child

import (
	"bytes"
	"strings"
	"sync"
)

// words are what a module prints, line by line, and what Go's runtime says at
// the end of the process.
type words struct {
	line func(string)

	mu    sync.Mutex
	part  []byte // of a line
	crash string // the signal that ended the process
}

const longestLine = 16 << 10

// Write takes what is printed.
func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.part = append(w.part, p...)
	for {
		i := bytes.IndexByte(w.part, '\n')
		if i < 0 && len(w.part) > longestLine {
			i = len(w.part) - 1
		}
		if i < 0 {
			return len(p), nil
		}
		line := strings.TrimRight(string(w.part[:i+1]), "\r\n")
		w.part = w.part[:copy(w.part, w.part[i+1:])]
		if w.crash == "" {
			w.crash = signalIn(line)
		}
		if w.line != nil {
			w.line(line)
		}
	}
}

// signalIn is the signal that Go's runtime names when it ends the process:
// "SIGSEGV: segmentation violation" in C code, "[signal SIGSEGV: ..." in Go's.
func signalIn(line string) string {
	name, _, found := strings.Cut(strings.TrimPrefix(line, "[signal "), ":")
	if !found || !strings.HasPrefix(name, "SIG") || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ""
	}
	return name
}

// signal is the one that ended the process, as far as it was said.
func (w *words) signal() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.crash
}
