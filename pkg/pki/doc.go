// Package pki knows the small words of certificates: serial numbers, reasons,
// times, names, fingerprints and key identifiers, each parsed kindly and
// printed one way, and the reading of certificate and request files in every
// form that officers have them in (PEM, DER, PKCS#7, bare Base64).
//
// It reads no files and makes no network call: callers bring the bytes and a
// name to use in messages.
package pki
