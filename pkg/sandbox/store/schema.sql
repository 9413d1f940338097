-- Times are milliseconds since 1970 in UTC, 0 for none.
CREATE TABLE IF NOT EXISTS issuer (
  n  INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  dn TEXT NOT NULL,
  aki TEXT NOT NULL,
  UNIQUE (id, dn, aki)
);
CREATE TABLE IF NOT EXISTS crl (issuer TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
-- How certificates were revoked before each change, for CRLs that are behind.
CREATE TABLE IF NOT EXISTS change (
  n          INTEGER PRIMARY KEY,
  issuer     TEXT NOT NULL,
  number     INTEGER NOT NULL, -- of the CRL that the change makes
  at         INTEGER NOT NULL,
  certid     INTEGER NOT NULL,
  serial     TEXT NOT NULL,
  revoked    INTEGER NOT NULL,
  reason     INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS changed ON change (issuer, at);
CREATE TABLE IF NOT EXISTS cert (
  id             INTEGER PRIMARY KEY,
  serial         TEXT NOT NULL,
  issuer         INTEGER NOT NULL REFERENCES issuer,
  subject        TEXT NOT NULL,
  cn             TEXT NOT NULL,
  given_name     TEXT NOT NULL,
  surname        TEXT NOT NULL,
  org            TEXT NOT NULL,
  ou             TEXT NOT NULL,
  subject_serial TEXT NOT NULL,
  country        TEXT NOT NULL,
  card_serial    TEXT NOT NULL,
  type           TEXT NOT NULL,
  not_before     INTEGER NOT NULL,
  not_after      INTEGER NOT NULL,
  revoked        INTEGER NOT NULL,
  reason         INTEGER NOT NULL,
  revoked_at     INTEGER NOT NULL,
  publishable    INTEGER NOT NULL,
  published_at   INTEGER NOT NULL,
  ocsp_at        INTEGER NOT NULL,
  field1         TEXT NOT NULL,
  field2         TEXT NOT NULL,
  field3         TEXT NOT NULL,
  field4         TEXT NOT NULL,
  field5         TEXT NOT NULL,
  field6         TEXT NOT NULL,
  ski            TEXT NOT NULL,
  key_usage      TEXT NOT NULL, -- names joined by commas
  procid         TEXT NOT NULL,
  domain         TEXT NOT NULL,
  locked         INTEGER NOT NULL,
  seed           INTEGER NOT NULL
);
-- For CRLs. Searches need no index: see columns.go.
CREATE INDEX IF NOT EXISTS revoked ON cert (issuer) WHERE revoked = 1;
-- To know again what was imported. Seeded rows are left out: they are many.
CREATE INDEX IF NOT EXISTS not_seeded ON cert (serial) WHERE seed = 0;
-- Apart from cert, so that a seeded row stays short until its bytes are made.
CREATE TABLE IF NOT EXISTS der (id INTEGER PRIMARY KEY REFERENCES cert, der BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS used (nonce TEXT PRIMARY KEY) WITHOUT ROWID;
-- What devices may enrol under. days counts from opened; 0 is for ever.
CREATE TABLE IF NOT EXISTS registration (
  n       INTEGER PRIMARY KEY,
  regid   TEXT NOT NULL UNIQUE,
  procid  TEXT NOT NULL,
  type    TEXT NOT NULL,
  fqdn    TEXT NOT NULL COLLATE NOCASE,
  days    INTEGER NOT NULL,
  opened  INTEGER NOT NULL,
  closed  INTEGER NOT NULL,
  officer TEXT NOT NULL COLLATE NOCASE,
  created INTEGER NOT NULL,
  secret  TEXT NOT NULL, -- password or HMAC key, encrypted
  details TEXT NOT NULL  -- what only some types have, as a JSON object
);
CREATE INDEX IF NOT EXISTS registered_names ON registration (procid, fqdn);
-- ACME accounts, each under a registration.
CREATE TABLE IF NOT EXISTS account (
  n         INTEGER PRIMARY KEY,
  accountid TEXT NOT NULL UNIQUE,
  regid     TEXT NOT NULL REFERENCES registration (regid),
  fqdn      TEXT NOT NULL,
  officer   TEXT NOT NULL,
  created   INTEGER NOT NULL,
  status    TEXT NOT NULL,
  email     TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS accounts_of ON account (regid);
-- Which registration, and ACME account, a certificate was issued under.
CREATE TABLE IF NOT EXISTS enrolled (
  certid    INTEGER PRIMARY KEY REFERENCES cert,
  regid     TEXT NOT NULL,
  accountid TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS enrolled_under ON enrolled (regid);
CREATE INDEX IF NOT EXISTS enrolled_by ON enrolled (accountid) WHERE accountid <> '';
