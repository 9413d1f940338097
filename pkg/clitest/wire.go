package clitest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/cmctl/cmctl/pkg/sandbox"
)

// wireNote is the file of a script's leaksDir in which sandboxes note the
// secrets that came by.
const wireNote = "wire.jsonl"

// secretMembers are the fields of requests and answers that are secrets.
var secretMembers = map[string]string{"password": password, "hmackey": hmacKey, "encryptedpassword": encrypted}

// noteSecrets notes the secrets of each request and answer.
func noteSecrets(dir string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, whole := bodyOf(r)
		if !whole {
			next.ServeHTTP(w, r)
			return
		}
		var seen []secret
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			seen = secretsOfJSON(body)
		} else if v := copyOf(r, body).FormValue("password"); v != "" {
			seen = append(seen, secret{password, []byte(v)})
		}
		answer := &tee{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			if err := writeSecrets(dir, append(seen, secretsOfAnswer(r, answer)...)); err != nil {
				panic(err)
			}
		}()
		next.ServeHTTP(answer, r)
	})
}

func secretsOfAnswer(r *http.Request, answer *tee) []secret {
	switch media := answer.Header().Get("Content-Type"); {
	case strings.HasPrefix(media, "application/json"):
		return secretsOfJSON(answer.body.Bytes())
	case strings.HasPrefix(media, "application/x-pkcs12"):
		return []secret{{pkcs12File, answer.body.Bytes()}}
	case sandbox.OperationFromContext(r.Context()) == "secureKeyInjectionPackage":
		return []secret{{keyPackage, answer.body.Bytes()}}
	}
	return nil
}

// secretsOfJSON finds them at any depth.
func secretsOfJSON(raw []byte) (found []secret) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	var walk func(any)
	walk = func(v any) {
		switch x := v.(type) {
		case []any:
			for _, e := range x {
				walk(e)
			}
		case map[string]any:
			for name, e := range x {
				kind, isSecret := secretMembers[strings.ToLower(name)]
				if text, ok := e.(string); ok && isSecret {
					found = append(found, secret{kind, []byte(text)})
				}
				walk(e)
			}
		}
	}
	walk(v)
	return found
}

func writeSecrets(dir string, seen []secret) error {
	var lines bytes.Buffer
	for _, s := range seen {
		raw, err := json.Marshal(s)
		if err != nil {
			return err
		}
		lines.Write(append(raw, '\n'))
	}
	if lines.Len() == 0 {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(dir, wireNote), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(lines.Bytes())
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
