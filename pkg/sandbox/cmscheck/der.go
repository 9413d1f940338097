package cmscheck

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxDepth is far below what exhausts a stack and far above any CMS.
const maxDepth = 40

// checkDER walks one whole value and refuses what BER allows and DER does not:
// indefinite or padded lengths, constructed strings, unsorted sets, loose
// integers, booleans and times.
func checkDER(in []byte) error {
	if len(in) > 1 && in[1] == 0x80 {
		return errors.New("not DER: indefinite length (BER)")
	}
	s := cryptobyte.String(in)
	if err := walkOne(&s, 0); err != nil {
		return err
	}
	if !s.Empty() {
		return fmt.Errorf("%d octets follow the CMS", len(s))
	}
	return nil
}

func walkOne(s *cryptobyte.String, depth int) error {
	if depth > maxDepth {
		return errors.New("not DER that is believable: nested too deep")
	}
	var value cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&value, &tag) {
		return errors.New("not DER: a tag or a length is wrong, too long or indefinite (BER)")
	}
	constructed := tag&0x20 != 0
	if tag>>6 != 0 { // not universal: its inner form is not known, its nesting is
		if !constructed {
			return nil
		}
		return walkAll(value, depth)
	}
	switch tag {
	case cbasn1.SEQUENCE:
		return walkAll(value, depth)
	case cbasn1.SET:
		return walkSet(value, depth)
	}
	if constructed {
		return errors.New("not DER: a string is split into pieces (BER)")
	}
	return checkPrimitive(tag, value)
}

func walkAll(s cryptobyte.String, depth int) error {
	for !s.Empty() {
		if err := walkOne(&s, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// walkSet takes every SET for a SET OF: nothing in CMS or in names is a SET of
// unlike members.
func walkSet(s cryptobyte.String, depth int) error {
	var last []byte
	for !s.Empty() {
		before := s
		if err := walkOne(&s, depth+1); err != nil {
			return err
		}
		element := before[:len(before)-len(s)]
		if last != nil && compareSetOf(last, element) > 0 {
			return errors.New("not DER: a set is not sorted")
		}
		last = element
	}
	return nil
}

func checkPrimitive(tag cbasn1.Tag, value []byte) error {
	switch tag {
	case cbasn1.BOOLEAN:
		if len(value) != 1 || value[0] != 0 && value[0] != 0xff {
			return errors.New("not DER: a boolean is neither 00 nor ff")
		}
	case cbasn1.INTEGER, cbasn1.ENUM:
		if len(value) == 0 || len(value) > 1 && (value[0] == 0 && value[1] < 0x80 || value[0] == 0xff && value[1] >= 0x80) {
			return errors.New("not DER: an integer has needless octets")
		}
	case cbasn1.BIT_STRING:
		if len(value) == 0 || value[0] > 7 || len(value) == 1 && value[0] != 0 ||
			len(value) > 1 && value[len(value)-1]&(1<<value[0]-1) != 0 {
			return errors.New("not DER: a bit string has unused bits that are set")
		}
	case cbasn1.NULL:
		if len(value) != 0 {
			return errors.New("not DER: a null that holds something")
		}
	case cbasn1.OBJECT_IDENTIFIER:
		return checkOID(value)
	case cbasn1.UTF8String:
		if !utf8.Valid(value) {
			return errors.New("not DER: a UTF-8 string that is none")
		}
	case cbasn1.UTCTime:
		return checkTime("060102150405Z", value)
	case cbasn1.GeneralizedTime:
		return checkTime("20060102150405Z", value)
	}
	return nil
}

func checkOID(value []byte) error {
	var oid asn1.ObjectIdentifier
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(c *cryptobyte.Builder) { c.AddBytes(value) })
	s := cryptobyte.String(b.BytesOrPanic())
	if !s.ReadASN1ObjectIdentifier(&oid) {
		return errors.New("not DER: an object identifier cannot be read")
	}
	return nil
}

func checkTime(layout string, value []byte) error {
	if _, err := time.Parse(layout, string(value)); err != nil || len(value) != len(layout) {
		return errors.New("not DER: a time that is not written in UTC to the second")
	}
	return nil
}

// compareSetOf orders two encodings as X.690, 11.6 does: octet by octet, the
// shorter one as if padded with zeros.
func compareSetOf(a, b []byte) int {
	n := min(len(a), len(b))
	if c := bytes.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	for _, x := range a[n:] {
		if x != 0 {
			return 1
		}
	}
	for _, x := range b[n:] {
		if x != 0 {
			return -1
		}
	}
	return 0
}
