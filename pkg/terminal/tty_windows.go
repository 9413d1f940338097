package terminal

import (
	"os"

	"golang.org/x/sys/windows"
)

// openTTY opens the console of the process.
func openTTY() (in, out *os.File, err error) {
	if in, err = os.OpenFile("CONIN$", os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	if out, err = os.OpenFile("CONOUT$", os.O_RDWR, 0); err != nil {
		in.Close() //nolint:errcheck // nothing was written
		return nil, nil, err
	}
	return in, out, nil
}

// enableColor switches escape sequences on, which a Windows console has to be
// asked for.
func enableColor(f *os.File) bool {
	var mode uint32
	h := windows.Handle(f.Fd())
	if windows.GetConsoleMode(h, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
