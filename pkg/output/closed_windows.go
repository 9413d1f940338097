package output

import "golang.org/x/sys/windows"

var closedErrors = [...]error{windows.ERROR_BROKEN_PIPE, windows.ERROR_NO_DATA}
