package terminal

import (
	"errors"
	"io"
	"unicode/utf8"
)

var (
	errInterrupt = errors.New("interrupted")
	errControl   = errors.New("control character")
)

// readSecret reads a line from a terminal in raw mode, where keys come as they
// are pressed and nothing is echoed. (term.ReadPassword does not notice the end
// of input.) Backspace and Ctrl-U are understood; any other control character,
// as an arrow key sends, is an error, because a PIN with one in it would burn a
// try.
func readSecret(in io.Reader) ([]byte, error) {
	var line []byte
	var failed error
	key := make([]byte, 1)
	for {
		n, err := in.Read(key)
		if n == 0 {
			if err == nil {
				err = io.EOF
			}
			clear(line)
			return nil, err
		}
		switch c := key[0]; {
		case c == '\r' || c == '\n':
			if failed != nil {
				clear(line)
			}
			return line, failed
		case c == 0x03: // Ctrl-C
			clear(line)
			return nil, errInterrupt
		case c == 0x04: // Ctrl-D
			clear(line)
			return nil, io.EOF
		case c == 0x7f || c == '\b':
			_, size := utf8.DecodeLastRune(line)
			line = line[:len(line)-size]
		case c == 0x15: // Ctrl-U
			clear(line)
			line, failed = line[:0], nil
		case c < ' ':
			failed = errControl
		default:
			line = append(line, c)
		}
	}
}
