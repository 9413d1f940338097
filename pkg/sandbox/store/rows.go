package store

import (
	"slices"
	"strings"
	"time"
)

// ownColumns of table cert are those that only the row has; columns.go holds
// the others as well.
var (
	ownColumns = []string{
		"id", "serial", "subject", "cn", "given_name", "surname", "org", "ou", "subject_serial", "country", "card_serial",
		"field1", "field2", "field3", "field4", "field5", "field6", "ski", "key_usage", "procid", "domain", "locked", "seed",
	}
	heldColumns = []string{"issuer", "type", "not_before", "not_after", "revoked", "reason", "revoked_at", "publishable", "published_at", "ocsp_at"}
	certColumns = slices.Concat(ownColumns, heldColumns)
)

var (
	selectOne  = "SELECT " + strings.Join(certColumns, ", ") + " FROM cert WHERE id = ?"
	selectPage = "SELECT " + strings.Join(ownColumns, ", ") + " FROM cert WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
	insertCert = insertCerts(1)
)

// insertCerts is a statement that inserts n rows.
func insertCerts(n int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", len(certColumns)), ",") + ")"
	return "INSERT INTO cert (" + strings.Join(certColumns, ", ") + ") VALUES " + strings.TrimSuffix(strings.Repeat(row+",", n), ",")
}

// args appends the values of a row in the order of certColumns; its issuer is n.
func args(list []any, c *Cert, n int32) []any {
	return append(list, c.ID, c.Serial, c.Subject, c.CN, c.GivenName, c.Surname, c.Org, c.OU, c.SubjectSerial, c.Country, c.CardSerial,
		c.Fields[0], c.Fields[1], c.Fields[2], c.Fields[3], c.Fields[4], c.Fields[5], c.SKI, strings.Join(c.KeyUsage, ","), c.ProcID, c.Domain, c.Locked, c.Seed,
		n, c.Type, millis(c.NotBefore), millis(c.NotAfter), c.Revoked, c.Reason, millis(c.RevokedAt), c.PublicationAllowed, millis(c.PublishedAt), millis(c.OCSPActivatedAt))
}

// scanOwn reads ownColumns, and what stands behind them into more.
func scanOwn(row interface{ Scan(...any) error }, more ...any) (Cert, error) {
	var c Cert
	var usage string
	err := row.Scan(append([]any{&c.ID, &c.Serial, &c.Subject, &c.CN, &c.GivenName, &c.Surname, &c.Org, &c.OU, &c.SubjectSerial, &c.Country, &c.CardSerial,
		&c.Fields[0], &c.Fields[1], &c.Fields[2], &c.Fields[3], &c.Fields[4], &c.Fields[5], &c.SKI, &usage, &c.ProcID, &c.Domain, &c.Locked, &c.Seed}, more...)...)
	if usage != "" {
		c.KeyUsage = strings.Split(usage, ",")
	}
	return c, err
}

// scan reads a row of selectOne; issuerOf knows the issuers by their numbers.
func scan(row interface{ Scan(...any) error }, issuerOf func(n int32) issuer) (Cert, error) {
	var h Cert
	var n int32
	var times [timeColumns]int64
	c, err := scanOwn(row, &n, &h.Type, &times[colNotBefore], &times[colNotAfter], &h.Revoked, &h.Reason, &times[colRevokedAt],
		&h.PublicationAllowed, &times[colPublishedAt], &times[colOCSPAt])
	if err != nil {
		return c, err
	}
	c.Type, c.Revoked, c.Reason, c.PublicationAllowed = h.Type, h.Revoked, h.Reason, h.PublicationAllowed
	c.setIssuer(issuerOf(n))
	c.setTimes(&times)
	return c, nil
}

func (c *Cert) setIssuer(i issuer) { c.IssuerID, c.IssuerDN, c.AKI = i.id, i.dn, i.aki }

func (c *Cert) setTimes(t *[timeColumns]int64) {
	c.NotBefore, c.NotAfter, c.RevokedAt = instant(t[colNotBefore]), instant(t[colNotAfter]), instant(t[colRevokedAt])
	c.PublishedAt, c.OCSPActivatedAt = instant(t[colPublishedAt]), instant(t[colOCSPAt])
}

// millis and instant turn times into numbers and back; 0 is no time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
