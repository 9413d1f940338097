package pki

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"strings"

	"github.com/cmctl/cmctl/pkg/exit"
)

// Serial is a certificate's serial number: lower-case hex digits, leading
// zeros kept as they were given. Compare with Equal, not with ==.
type Serial string

// maxSerialDigits is far above the 20 octets of RFC 5280: CAs broke that rule.
const maxSerialDigits = 128

const serialHint = "write it as 0x12ab, 12:ab or, for a decimal number, dec:4779"

// String is the serial as cmctl prints it.
func (s Serial) String() string { return string(s) }

// Equal compares the numbers: leading zeros and case do not count.
func (s Serial) Equal(t Serial) bool {
	return strings.EqualFold(significant(string(s)), significant(string(t)))
}

func significant(s string) string { return strings.TrimLeft(s, "0") }

// SerialOf is the serial of a parsed certificate, whole octets, as certificate
// viewers show it.
func SerialOf(n *big.Int) Serial {
	if n == nil {
		return ""
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-" // forbidden, but seen; shown so that it is not taken for another
	}
	octets := n.Bytes()
	if len(octets) == 0 {
		octets = []byte{0}
	}
	return Serial(sign + hex.EncodeToString(octets))
}

// ParseSerial reads a serial that says by its form that it is one: 0x12AB,
// 12:ab, dec:4779, or hex with at least one letter. Bare digits are refused:
// they could as well be a certid or a decimal number.
func ParseSerial(s string) (Serial, error) {
	t := strings.TrimSpace(s)
	if digits := strings.ReplaceAll(t, " ", ""); digits != "" && strings.Trim(digits, "0123456789") == "" {
		return "", exit.Usagef(serialHint, "%q is ambiguous as a serial number: it may be hex, decimal or a certid", clip(s))
	}
	return ParseHexSerial(s)
}

// ParseHexSerial reads a serial where the place already says that it is one,
// such as a column of that name: as ParseSerial, and bare digits are hex.
func ParseHexSerial(s string) (Serial, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	if dec, ok := strings.CutPrefix(t, "dec:"); ok {
		return parseDecimal(s, strings.TrimSpace(dec))
	}
	t = strings.TrimPrefix(t, "0x")
	t = strings.ReplaceAll(t, " ", "")
	if strings.Contains(t, ":") {
		groups := strings.Split(t, ":")
		for i, g := range groups {
			if len(g) != 2 && (i > 0 || len(g) != 1) {
				return "", exit.Usagef(serialHint, "%q is not a serial number: colons part pairs of hex digits", clip(s))
			}
		}
		t = strings.Join(groups, "")
	}
	switch {
	case t == "":
		return "", exit.Usagef(serialHint, "an empty serial number")
	case strings.Trim(t, "0123456789abcdef") != "":
		return "", exit.Usagef(serialHint, "%q is not a serial number: it holds what is no hex digit", clip(s))
	case len(t) > maxSerialDigits:
		return "", exit.Usagef(serialHint, "a serial number of %d hex digits is too long", len(t))
	}
	return Serial(t), nil
}

func parseDecimal(s, digits string) (Serial, error) {
	// The length is checked first: turning a long decimal into a number takes
	// quadratic time.
	if digits == "" || strings.Trim(digits, "0123456789") != "" || len(digits) > 2*maxSerialDigits {
		return "", exit.Usagef(serialHint, "%q is not a serial number: dec: wants decimal digits", clip(s))
	}
	n, _ := new(big.Int).SetString(digits, 10)
	if n.BitLen() > 4*maxSerialDigits {
		return "", exit.Usagef(serialHint, "the serial number %q is too long", clip(s))
	}
	return SerialOf(n), nil
}

// clip keeps a message short when the input is not.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return string(bytes.ToValidUTF8([]byte(s[:most]), nil)) + "..."
}
