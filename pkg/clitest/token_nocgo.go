//go:build !cgo

package clitest

import "errors"

const haveTokens = false

func makeToken([]string) error { return errors.New("tokens want cgo") }
