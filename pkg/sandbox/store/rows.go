package store

import (
	"strings"
	"time"
)

// certColumns are those of table cert, in the order of args and, with the
// issuer's beside them, of scan.
var certColumns = []string{
	"id", "serial", "issuer", "subject", "cn", "given_name", "surname", "org", "ou", "subject_serial", "country", "card_serial",
	"type", "not_before", "not_after", "revoked", "reason", "revoked_at", "publishable", "published_at", "ocsp_at",
	"field1", "field2", "field3", "field4", "field5", "field6", "ski", "key_usage", "procid", "domain", "locked", "seed",
}

var (
	// Issuer and certificate both have an id, hence the prefixes.
	selectCert = "SELECT c." + strings.Join(certColumns, ", c.") + ", i.id, i.dn, i.aki FROM cert c JOIN issuer i ON i.n = c.issuer "
	selectOne  = selectCert + "WHERE c.id = ?"
	selectPage = selectCert + "WHERE c.id IN (SELECT value FROM json_each(?)) ORDER BY c.id"
	insertCert = insertCerts(1)
)

// insertCerts is a statement that inserts n rows.
func insertCerts(n int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", len(certColumns)), ",") + ")"
	return "INSERT INTO cert (" + strings.Join(certColumns, ", ") + ") VALUES " + strings.TrimSuffix(strings.Repeat(row+",", n), ",")
}

// args appends the values of a row, whose issuer is n.
func args(list []any, c *Cert, n int32) []any {
	return append(list, c.ID, c.Serial, n, c.Subject, c.CN, c.GivenName, c.Surname, c.Org, c.OU, c.SubjectSerial, c.Country, c.CardSerial,
		c.Type, millis(c.NotBefore), millis(c.NotAfter), c.Revoked, c.Reason, millis(c.RevokedAt), c.PublicationAllowed, millis(c.PublishedAt), millis(c.OCSPActivatedAt),
		c.Fields[0], c.Fields[1], c.Fields[2], c.Fields[3], c.Fields[4], c.Fields[5], c.SKI, strings.Join(c.KeyUsage, ","), c.ProcID, c.Domain, c.Locked, c.Seed)
}

// scan reads a row of selectCert.
func scan(row interface{ Scan(...any) error }) (Cert, error) {
	var c Cert
	var n int32
	var usage string
	var times [timeColumns]int64
	err := row.Scan(&c.ID, &c.Serial, &n, &c.Subject, &c.CN, &c.GivenName, &c.Surname, &c.Org, &c.OU, &c.SubjectSerial, &c.Country, &c.CardSerial,
		&c.Type, &times[colNotBefore], &times[colNotAfter], &c.Revoked, &c.Reason, &times[colRevokedAt], &c.PublicationAllowed, &times[colPublishedAt], &times[colOCSPAt],
		&c.Fields[0], &c.Fields[1], &c.Fields[2], &c.Fields[3], &c.Fields[4], &c.Fields[5], &c.SKI, &usage, &c.ProcID, &c.Domain, &c.Locked, &c.Seed,
		&c.IssuerID, &c.IssuerDN, &c.AKI)
	c.NotBefore, c.NotAfter, c.RevokedAt = instant(times[colNotBefore]), instant(times[colNotAfter]), instant(times[colRevokedAt])
	c.PublishedAt, c.OCSPActivatedAt = instant(times[colPublishedAt]), instant(times[colOCSPAt])
	if usage != "" {
		c.KeyUsage = strings.Split(usage, ",")
	}
	return c, err
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
