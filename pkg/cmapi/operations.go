package cmapi

import "slices"

// Operation is one operation of the API: its operationId, method, path
// template below the base path, and whether it changes anything.
type Operation struct {
	ID     string
	Method string
	Path   string
	Write  bool   // takes `signature` and may answer -19
	Call   string // the Client's method for it: Certificates.List
}

var (
	opListCertificates    = Operation{"listCertificates", "GET", "/certificates", false, "Certificates.List"}
	opGetDetails          = Operation{"getCertificateDetails", "GET", "/certificates/{certid}/details", false, "Certificates.Details"}
	opDownload            = Operation{"downloadCertificate", "GET", "/certificates/{certid}/download", false, "Certificates.Download"}
	opRevoke              = Operation{"revokeCertificate", "POST", "/certificates/revoke", true, "Certificates.Revoke"}
	opReinstate           = Operation{"reinstateCertificate", "POST", "/certificates/reinstate", true, "Certificates.Reinstate"}
	opIssuePKCS10         = Operation{"issueCertificatePkcs10", "POST", "/certificates/pkcs10", true, "Certificates.IssuePKCS10"}
	opIssueP12            = Operation{"issueCertificatePkcs10ToPkcs12", "POST", "/certificates/pkcs10-to-pkcs12", true, "Certificates.IssueP12"}
	opIssueAttr           = Operation{"issueCertificatePkcs10ToAttrCert", "POST", "/certificates/{certid}/pkcs10-to-attr-cert", true, "Certificates.IssueAttrCert"}
	opSKIP                = Operation{"secureKeyInjectionPackage", "POST", "/certificates/skip", true, "Certificates.SKIP"}
	opImport              = Operation{"importPKIX509", "POST", "/certificates/import-pki-x509", true, "Certificates.Import"}
	opListIssuers         = Operation{"listIssuers", "GET", "/certificates/issuers", false, "Certificates.Issuers"}
	opListProcedures      = Operation{"listProcedures", "GET", "/procedures", false, "Procedures.List"}
	implementedOperations = []Operation{opListCertificates, opGetDetails, opDownload, opRevoke, opReinstate, opIssuePKCS10, opIssueP12, opIssueAttr, opSKIP, opImport, opListIssuers, opListProcedures}
)

var (
	opListRegistrations         = Operation{"listRegistrations", "GET", "/registrations/{procid}", false, "Registrations.List"}
	opCreateRegistration        = Operation{"createRegistration", "POST", "/registrations/{procid}", true, "Registrations.Create"}
	opUpdateRegistration        = Operation{"updateRegistration", "PUT", "/registrations/{procid}", true, "Registrations.Update"}
	opListRegistrationsSCEP     = Operation{"listRegistrationsScep", "GET", "/registrations/{procid}/scep", false, "Registrations.List"}
	opCreateRegistrationSCEP    = Operation{"createRegistrationScep", "POST", "/registrations/{procid}/scep", true, "Registrations.Create"}
	opUpdateRegistrationSCEP    = Operation{"updateRegistrationScep", "PUT", "/registrations/{procid}/scep", true, "Registrations.Update"}
	opListRegistrationsEST      = Operation{"listRegistrationsEst", "GET", "/registrations/{procid}/est", false, "Registrations.List"}
	opCreateRegistrationEST     = Operation{"createRegistrationEst", "POST", "/registrations/{procid}/est", true, "Registrations.Create"}
	opUpdateRegistrationEST     = Operation{"updateRegistrationEst", "PUT", "/registrations/{procid}/est", true, "Registrations.Update"}
	opListRegistrationsCMP      = Operation{"listRegistrationsCmp", "GET", "/registrations/{procid}/cmp", false, "Registrations.List"}
	opCreateRegistrationCMP     = Operation{"createRegistrationCmp", "POST", "/registrations/{procid}/cmp", true, "Registrations.Create"}
	opUpdateRegistrationCMP     = Operation{"updateRegistrationCmp", "PUT", "/registrations/{procid}/cmp", true, "Registrations.Update"}
	opListRegistrationsACME     = Operation{"listRegistrationsAcme", "GET", "/registrations/{procid}/acme", false, "Registrations.List"}
	opCreateRegistrationACME    = Operation{"createRegistrationAcme", "POST", "/registrations/{procid}/acme", true, "Registrations.Create"}
	opUpdateRegistrationACME    = Operation{"updateRegistrationAcme", "PUT", "/registrations/{procid}/acme", true, "Registrations.Update"}
	opRegistrationOfCertificate = Operation{"getRegistrationsCertId", "GET", "/registrations/certificate/{certid}", false, "Registrations.OfCertificate"}
	opListACMEAccounts          = Operation{"listAcmeAccounts", "GET", "/registrations/{procid}/acme/accounts", false, "Registrations.Accounts"}
	registrationOps             = []Operation{
		opListRegistrations, opCreateRegistration, opUpdateRegistration, opRegistrationOfCertificate,
		opListRegistrationsSCEP, opCreateRegistrationSCEP, opUpdateRegistrationSCEP, opListRegistrationsEST, opCreateRegistrationEST, opUpdateRegistrationEST,
		opListRegistrationsCMP, opCreateRegistrationCMP, opUpdateRegistrationCMP, opListRegistrationsACME, opCreateRegistrationACME, opUpdateRegistrationACME,
		opListACMEAccounts,
	}
)

// absentHints are the operations by which -14 means that what was named is not
// there, and what an officer can do then.
var absentHints = map[string]string{
	opGetDetails.ID:                codeMeanings[ItemMissing].hint,
	opDownload.ID:                  codeMeanings[ItemMissing].hint,
	opRegistrationOfCertificate.ID: "no certificate has this id, or it was issued under no registration; `cmctl cert search` finds ids",
	opListACMEAccounts.ID:          "no account matches; without --account all of the procedure are listed",
}

// Operations lists the operations that this client has a method for.
func Operations() []Operation { return slices.Concat(implementedOperations, registrationOps) }
