// Package cms makes and reads CMS SignedData (RFC 5652), the form in which an
// officer signs what the gateway asks for: content inside, signed attributes,
// the officer's certificate and chain, in DER that equals its own re-encoding.
//
// A Signer is bound to one key and its certificates, so that a bulk run pays
// for them once. Parse and SignerInfo.Verify serve `cmctl inspect`: they judge
// a signature against the certificate in the message, not whether that
// certificate is to be trusted.
package cms
