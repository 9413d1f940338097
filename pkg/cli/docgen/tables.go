package docgen

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cmctl/cmctl/pkg/cli/cmdutil"
	"github.com/cmctl/cmctl/pkg/cmapi"
	"github.com/cmctl/cmctl/pkg/config"
	"github.com/cmctl/cmctl/pkg/exit"
)

func index(all []*cobra.Command) []byte {
	p := newPage("Reference")
	var rows [][]string
	for _, c := range all {
		if !c.HasAvailableSubCommands() {
			rows = append(rows, []string{link(c), plain(c.Short)})
		}
	}
	p.table([]string{"command", "what it does"}, rows)
	p.line(`The flags that every command has are on the page of [cmctl](cmctl.md#flags-of-every-command).

- [Exit codes](exit-codes.md)
- [Environment variables](environment.md)
- [The config file](config.md)
- [Operations of the API](operations.md)`)
	return p.end()
}

func exitCodes() []byte {
	p := newPage("Exit codes")
	p.line("`kind` is the word in the error object that `-o json` and `-o jsonl` print on stderr. `cmctl help exit-codes` shows the same table.\n")
	var rows [][]string
	for _, r := range exit.Table() {
		rows = append(rows, []string{fmt.Sprint(r.Code), code(r.Kind), plain(r.Meaning)})
	}
	p.table([]string{"code", "kind", "meaning"}, rows)
	p.line("%s", plain(exit.Rules))
	return p.end()
}

func environment() []byte {
	p := newPage("Environment variables")
	p.line(`A flag wins over its variable, a variable over the context. An explicit ` + "`--context`" + ` ignores the variables of a
connection (server, CA, keys, PINs) and says so. An empty variable is an unset one. Flags that guard a write
(` + "`--yes`, `--max`, `--expect`, `--force`" + `) have no variable. ` + "`cmctl help environment`" + ` shows which are set now.
`)
	var rows [][]string
	for _, v := range config.Variables() {
		f := ""
		if v.Flag != "" {
			f = code("--" + v.Flag)
		}
		meaning := v.Meaning
		if v.Sensitive {
			meaning += "; never shown"
		}
		rows = append(rows, []string{code(v.Name), f, plain(meaning)})
	}
	p.table([]string{"variable", "flag over it", "meaning"}, rows)
	return p.end()
}

func configKeys() []byte {
	p := newPage("The config file")
	p.line("The file is `--config`, `CMCTL_CONFIG`, `$XDG_CONFIG_HOME/cmctl/config.yaml` or `~/.config/cmctl/config.yaml`, in this order. It is\n" +
		"written by `cmctl context` (0600, whole or not at all) and may be edited: comments stay. A key that is not listed here is an error.\n" +
		"Paths are relative to the file.\n\n" +
		"```yaml\n" + sample + "```\n\n" +
		"Keys of a context:\n")
	var rows [][]string
	for _, k := range config.Keys() {
		f := ""
		if k.Flag != "" {
			f = code("--" + k.Flag)
		}
		meaning := plain(k.Meaning)
		if k.Path {
			meaning += "; a path is relative to this file"
		}
		rows = append(rows, []string{code(k.Name), meaning, code(k.Default), f, code(k.Variable)})
	}
	p.table([]string{"key", "meaning", "default", "flag over it", "variable over it"}, rows)
	return p.end()
}

const sample = `current-context: prod
contexts:
  prod:
    server: https://pgwy.example.com:8444/pgwy/api
    ca-file: cm-root.pem
    cert: officer.p12
    pin-file: officer.pin
    protected: true
  test:
    server: https://pgwy.test.example.com:8444/pgwy/api
    ca-file: test-root.pem
    cert: officer-test.pem
    key: officer-test.key
`

// operations is the page that says where each operation of the API is.
func operations(all []*cobra.Command) []byte {
	p := newPage("Operations of the API")
	p.line("The operations of the CM REST API in the commands and in the Go client `pkg/cmapi`.\n")
	var rows [][]string
	for _, op := range cmapi.Operations() {
		var users []string
		for _, c := range all {
			for _, id := range cmdutil.OperationsOf(c) {
				if id == op.ID {
					users = append(users, link(c))
				}
			}
		}
		if len(users) == 0 {
			users = []string{"none yet"}
		}
		rows = append(rows, []string{code(op.ID), code(op.Method + " " + op.Path), signed(op), strings.Join(users, ", "), code("Client." + op.Call)})
	}
	p.table([]string{"operationId", "method and path", "", "commands", "client"}, rows)
	return p.end()
}
