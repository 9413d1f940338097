package cmapi

// Operation is one operation of the API: its operationId, method, path
// template below the base path, and whether it changes anything.
type Operation struct {
	ID     string
	Method string
	Path   string
	Write  bool // takes `signature` and may answer -19
}

var (
	opListCertificates     = Operation{"listCertificates", "GET", "/certificates", false}
	opGetDetails           = Operation{"getCertificateDetails", "GET", "/certificates/{certid}/details", false}
	opDownload             = Operation{"downloadCertificate", "GET", "/certificates/{certid}/download", false}
	opRevoke               = Operation{"revokeCertificate", "POST", "/certificates/revoke", true}
	opReinstate            = Operation{"reinstateCertificate", "POST", "/certificates/reinstate", true}
	opIssuePKCS10          = Operation{"issueCertificatePkcs10", "POST", "/certificates/pkcs10", true}
	opListProcedures       = Operation{"listProcedures", "GET", "/procedures", false}
	implementedOperations  = []Operation{opListCertificates, opGetDetails, opDownload, opRevoke, opReinstate, opIssuePKCS10, opListProcedures}
	absentMeansNotFoundOps = map[string]bool{opGetDetails.ID: true, opDownload.ID: true}
)

// Operations lists the operations that this client has a method for.
func Operations() []Operation { return append([]Operation(nil), implementedOperations...) }
