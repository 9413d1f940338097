package pki

import (
	"bytes"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxDepth bounds the nesting that is followed; real PKCS#7 needs about 15.
const maxDepth = 48

var errBER = errors.New("the data is not ASN.1 or is cut off")

// DER brings BER, as Java servers and older tools write PKCS#7 and PKCS#12, to
// definite lengths in shortest form with octet strings in one piece. What is
// DER comes back as it is. The order of sets is left alone: what was signed
// must keep its bytes.
func DER(data []byte) ([]byte, error) {
	var element cryptobyte.String
	var tag asn1.Tag
	input := cryptobyte.String(data)
	if input.ReadAnyASN1Element(&element, &tag) && input.Empty() && isDER(element, 0) {
		return data, nil
	}
	der, rest, err := toDER(data, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errors.New("trailing bytes after the ASN.1 data")
	}
	return der, nil
}

// isDER looks at every length. Most input is DER, and this copies nothing.
func isDER(s cryptobyte.String, depth int) bool {
	for !s.Empty() {
		var element cryptobyte.String
		var tag asn1.Tag
		if depth > maxDepth || !s.ReadAnyASN1(&element, &tag) || tag == asn1.OCTET_STRING|constructed ||
			tag&constructed != 0 && !isDER(element, depth+1) {
			return false
		}
	}
	return true
}

const constructed = 0x20

// toDER converts one element and returns what follows it.
func toDER(data []byte, depth int) (der, rest []byte, err error) {
	tag, length, indefinite, body, err := header(data)
	if err != nil || depth > maxDepth {
		return nil, nil, errBER
	}
	if !indefinite {
		body, rest = body[:length], body[length:]
	}
	if tag[0]&constructed == 0 {
		if indefinite {
			return nil, nil, errBER
		}
		return wrap(tag, body), rest, nil
	}

	var inner []byte
	octets := tag[0] == 0x24
	for {
		if indefinite {
			if len(body) < 2 {
				return nil, nil, errBER
			}
			if body[0] == 0 && body[1] == 0 {
				rest = body[2:]
				break
			}
		} else if len(body) == 0 {
			break
		}
		var child []byte
		if child, body, err = toDER(body, depth+1); err != nil {
			return nil, nil, err
		}
		if octets {
			piece := cryptobyte.String(child)
			var content cryptobyte.String
			if !piece.ReadASN1(&content, asn1.OCTET_STRING) {
				return nil, nil, errBER
			}
			child = content
		}
		inner = append(inner, child...)
	}
	if octets {
		tag = []byte{0x04}
	}
	return wrap(tag, inner), rest, nil
}

// header reads tag and length; body is what follows, which holds at least
// length bytes.
func header(data []byte) (tag []byte, length int, indefinite bool, body []byte, err error) {
	if len(data) < 2 {
		return nil, 0, false, nil, errBER
	}
	n := 1
	if data[0]&0x1f == 0x1f {
		for {
			if n >= len(data) || n > 4 {
				return nil, 0, false, nil, errBER
			}
			n++
			if data[n-1]&0x80 == 0 {
				break
			}
		}
	}
	tag, data = data[:n], data[n:]
	if len(data) == 0 {
		return nil, 0, false, nil, errBER
	}
	first := data[0]
	data = data[1:]
	switch {
	case first == 0x80:
		return tag, 0, true, data, nil
	case first < 0x80:
		length = int(first)
	default:
		count := int(first & 0x7f)
		if count > 4 || count > len(data) {
			return nil, 0, false, nil, errBER
		}
		for _, b := range data[:count] {
			length = length<<8 | int(b)
		}
		data = data[count:]
	}
	if length > len(data) {
		return nil, 0, false, nil, errBER
	}
	return tag, length, false, data, nil
}

func wrap(tag, body []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(tag) + 5 + len(body))
	out.Write(tag)
	switch n := len(body); {
	case n < 0x80:
		out.WriteByte(byte(n))
	case n < 0x100:
		out.Write([]byte{0x81, byte(n)})
	case n < 0x10000:
		out.Write([]byte{0x82, byte(n >> 8), byte(n)})
	case n < 0x1000000:
		out.Write([]byte{0x83, byte(n >> 16), byte(n >> 8), byte(n)})
	default:
		out.Write([]byte{0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	out.Write(body)
	return out.Bytes()
}
