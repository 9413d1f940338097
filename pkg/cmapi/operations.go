package cmapi

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
	opListCertificates     = Operation{"listCertificates", "GET", "/certificates", false, "Certificates.List"}
	opGetDetails           = Operation{"getCertificateDetails", "GET", "/certificates/{certid}/details", false, "Certificates.Details"}
	opDownload             = Operation{"downloadCertificate", "GET", "/certificates/{certid}/download", false, "Certificates.Download"}
	opRevoke               = Operation{"revokeCertificate", "POST", "/certificates/revoke", true, "Certificates.Revoke"}
	opReinstate            = Operation{"reinstateCertificate", "POST", "/certificates/reinstate", true, "Certificates.Reinstate"}
	opIssuePKCS10          = Operation{"issueCertificatePkcs10", "POST", "/certificates/pkcs10", true, "Certificates.IssuePKCS10"}
	opIssueP12             = Operation{"issueCertificatePkcs10ToPkcs12", "POST", "/certificates/pkcs10-to-pkcs12", true, "Certificates.IssueP12"}
	opIssueAttr            = Operation{"issueCertificatePkcs10ToAttrCert", "POST", "/certificates/{certid}/pkcs10-to-attr-cert", true, "Certificates.IssueAttrCert"}
	opSKIP                 = Operation{"secureKeyInjectionPackage", "POST", "/certificates/skip", true, "Certificates.SKIP"}
	opImport               = Operation{"importPKIX509", "POST", "/certificates/import-pki-x509", true, "Certificates.Import"}
	opListIssuers          = Operation{"listIssuers", "GET", "/certificates/issuers", false, "Certificates.Issuers"}
	opListProcedures       = Operation{"listProcedures", "GET", "/procedures", false, "Procedures.List"}
	implementedOperations  = []Operation{opListCertificates, opGetDetails, opDownload, opRevoke, opReinstate, opIssuePKCS10, opIssueP12, opIssueAttr, opSKIP, opImport, opListIssuers, opListProcedures}
	absentMeansNotFoundOps = map[string]bool{opGetDetails.ID: true, opDownload.ID: true}
)

// Operations lists the operations that this client has a method for.
func Operations() []Operation { return append([]Operation(nil), implementedOperations...) }
