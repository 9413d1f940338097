package cmscheck

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// checkAttributes holds the signed attributes against the content: both
// mandatory ones there, once, with one value each. It returns the claimed
// signing time. An attribute that is not known here is left alone.
func checkAttributes(si *signerInfo, content []byte) (time.Time, error) {
	var when time.Time
	in := cryptobyte.String(si.attrs)
	if in.Empty() {
		return when, errors.New("signedAttrs are present but empty")
	}
	seen := map[string]bool{}
	var last []byte
	for !in.Empty() {
		var element, attr, values cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !in.ReadASN1Element(&element, cbasn1.SEQUENCE) {
			return when, errors.New("a signed attribute cannot be read")
		}
		if last != nil && compareSetOf(last, element) > 0 {
			return when, errors.New("not DER: the signed attributes are not sorted")
		}
		last = element
		if !element.ReadASN1(&attr, cbasn1.SEQUENCE) || !attr.ReadASN1ObjectIdentifier(&oid) ||
			!attr.ReadASN1(&values, cbasn1.SET) || !attr.Empty() {
			return when, errors.New("a signed attribute cannot be read")
		}
		if seen[oid.String()] {
			return when, fmt.Errorf("the signed attribute %v is there twice", oid)
		}
		seen[oid.String()] = true
		var err error
		switch {
		case oid.Equal(oidContentType):
			err = checkContentType(values)
		case oid.Equal(oidMessageDigest):
			err = checkMessageDigest(values, si, content)
		case oid.Equal(oidSigningTime):
			when, err = readSigningTime(values)
		}
		if err != nil {
			return when, err
		}
	}
	if !seen[oidContentType.String()] {
		return when, errors.New("the signed attributes lack contentType")
	}
	if !seen[oidMessageDigest.String()] {
		return when, errors.New("the signed attributes lack messageDigest")
	}
	return when, nil
}

func checkContentType(values cryptobyte.String) error {
	var oid asn1.ObjectIdentifier
	if !values.ReadASN1ObjectIdentifier(&oid) || !values.Empty() || !oid.Equal(oidData) {
		return errors.New("the contentType attribute is not id-data")
	}
	return nil
}

func checkMessageDigest(values cryptobyte.String, si *signerInfo, content []byte) error {
	var claimed cryptobyte.String
	if !values.ReadASN1(&claimed, cbasn1.OCTET_STRING) || !values.Empty() {
		return errors.New("the messageDigest attribute cannot be read")
	}
	if !bytes.Equal(claimed, sum(si.digest, content)) {
		return errors.New("the messageDigest attribute is not the digest of the content")
	}
	return nil
}

func readSigningTime(values cryptobyte.String) (time.Time, error) {
	var t time.Time
	ok := values.PeekASN1Tag(cbasn1.UTCTime) && values.ReadASN1UTCTime(&t) ||
		values.PeekASN1Tag(cbasn1.GeneralizedTime) && values.ReadASN1GeneralizedTime(&t)
	if !ok || !values.Empty() {
		return t, errors.New("the signingTime attribute cannot be read")
	}
	return t, nil
}

// asSet encodes the content octets of signedAttrs as a SET OF.
func asSet(octets []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SET, func(c *cryptobyte.Builder) { c.AddBytes(octets) })
	return b.BytesOrPanic()
}
