// Package cmapi is a client for the CM REST API of Nexus Certificate Manager,
// as served by its Protocol Gateway (PGWY).
//
// One core builds, sends, decodes, retries, signs and resends; each operation
// is a small file with its types, a request builder and a method. A write can
// be taken in one go (the methods) or in two phases: Client.Prepare fetches
// the octets to sign as a value that can be stored, Client.Submit sends the
// identical request again with a CMS signature.
//
// The package reads every odd form that gateways are known to answer with and
// writes one strict form. It knows no key files: TLS takes a tls.Certificate
// getter, signing a Signer.
package cmapi
