// Package store keeps the sandbox's certificates and registrations in SQLite,
// in a file or in memory, and answers every filter of listCertificates on the
// certificates.
//
// SQLite holds the truth: rows, transactions, what survives a restart. What a
// search compares is also held in memory, a column per filter, because a page
// with an exact number of hits means looking at every row, and over columns
// that takes a millisecond or two for a million rows, whatever the filters,
// their ranges and the offset.
package store

import "time"

// The subject types the API knows.
const (
	EE = "EE"
	CA = "CA"
)

// Hold is the revocation reason certificateHold, the one that can be undone.
const Hold = 6

// FirstID is the smallest id that Add gives out. Below it are the few odd ones
// that Seed makes from 9001 on, and below those the sandbox's own certificates,
// whose ids their caller names.
const FirstID = 10001

// Cert is one certificate as the gateway knows it.
type Cert struct {
	ID       int64
	Serial   string // lower-case hex, leading zeros kept as stored
	IssuerID string // which of the sandbox's issuers made it; "" for an imported one
	IssuerDN string // RFC 1779 text: cn=..,o=..,c=..
	Subject  string // bare values as the API shows them: Demo User, Demo, SE

	CN, GivenName, Surname, Org, OU, SubjectSerial, Country, CardSerial string

	Type                string // EE or CA
	NotBefore, NotAfter time.Time

	Revoked   bool // on hold counts as revoked, with Reason Hold
	Reason    int
	RevokedAt time.Time

	PublicationAllowed           bool
	PublishedAt, OCSPActivatedAt time.Time

	Fields   [6]string // field1 to field6
	AKI, SKI string    // lower-case hex
	KeyUsage []string  // names of key usages and extended key usages, as in X.509
	ProcID   string    // procedure that issued it
	Domain   string    // "" is seen by all officers, else only by those of that domain (909)
	Locked   bool      // no officer may change it (902)
	Seed     int64     // what a seeded certificate's bytes are made from; 0: not seeded

	// DER is read by Store.Get only, never by a search. It is nil for a seeded
	// certificate whose bytes nobody has asked for yet.
	DER []byte
}

// Query holds the filters of listCertificates. A filter with its zero value
// does not narrow the search, except Types: without it only EE is found.
type Query struct {
	CN, GivenName, Surname, Org, OU, SubjectSerial, Country, CardSerial string

	Serial   string // hex; 0x, colons, blanks, case and leading zeros do not matter
	Issuer   string // RFC 1779 DN
	AKI, SKI string // hex; as Serial, but leading zeros matter
	Types    []string
	Fields   [6]string

	Reasons            []int
	NotRevoked         bool
	PublicationAllowed bool
	NotYetValid        bool
	Expired            bool

	RevokedAfter, RevokedBefore     time.Time
	PublishedAfter, PublishedBefore time.Time
	OCSPAfter, OCSPBefore           time.Time
	ValidFromAfter, ValidFromBefore time.Time
	ExpiresAfter, ExpiresBefore     time.Time

	Inclusive bool      // the bounds above belong to the range
	Now       time.Time // what NotYetValid and Expired compare with
	Domain    string    // the officer's domain; certificates of another are not found

	Limit, Offset int  // Limit 0 or less: no row, only the hits
	Descending    bool // the greatest id comes first
}

// BadField is a filter whose value cannot be read (-14).
type BadField struct {
	Field  string // the API's name of the parameter
	Reason string
}

func (e *BadField) Error() string { return e.Field + ": " + e.Reason }

// RevokedEntry is one line of a CRL.
type RevokedEntry struct {
	ID     int64
	Serial string // hex
	Reason int
	At     time.Time
}

// SeedIssuer is an issuer that seeded certificates are said to come from.
type SeedIssuer struct{ ID, DN, AKI string }

// SeedOptions says what Seed makes. The same number, clock and cap give the
// same rows; only AKI follows the issuers' keys.
type SeedOptions struct {
	Now    time.Time
	Cap    int                     // most hits a search may return, for the crowded second
	Root   SeedIssuer              // issues the CA certificates
	Issue  [2]SeedIssuer           // issue the others
	SKI    func(seed int64) string // key identifier, in hex, of the key made from a seed
	ProcID string                  // procedure they were issued by
}
