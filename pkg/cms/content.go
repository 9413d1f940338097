package cms

import (
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/cmctl/cmctl/pkg/pki"
)

var oidData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}

// Content is what a PKCS#7 or CMS message carries in the clear: that of plain
// data and of signed data, whose signatures are not judged. Of another type,
// such as enveloped data, there is none. kind is the type of the message.
func Content(data []byte) (kind asn1.ObjectIdentifier, content []byte, err error) {
	der, err := pki.DER(data)
	if err != nil {
		return nil, nil, err
	}
	var info, explicit, inner cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&info, cbasn1.SEQUENCE) || !input.Empty() || !info.ReadASN1ObjectIdentifier(&kind) ||
		!info.ReadOptionalASN1(&explicit, nil, context0) {
		return nil, nil, errors.New("this is no CMS message")
	}
	switch {
	case kind.Equal(oidSignedData):
		sd, err := Parse(der)
		if err != nil {
			return kind, nil, err
		}
		return kind, sd.Content, nil
	case !kind.Equal(oidData):
		return kind, nil, nil
	}
	if explicit.PeekASN1Tag(cbasn1.OCTET_STRING) && explicit.ReadASN1(&inner, cbasn1.OCTET_STRING) {
		return kind, inner, nil
	}
	return kind, explicit, nil
}
