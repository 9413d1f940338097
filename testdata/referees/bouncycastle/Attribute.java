// Judges attribute certificates (RFC 5755) with BouncyCastle, which knows them where Go and OpenSSL do not.
//
//   java -cp bcprov.jar:bcpkix.jar:bcutil.jar Attribute.java DIR...
//
// Each DIR holds attribute.der, base.der (whose holder has the attributes) and issuer.der. One line a DIR goes to stdout:
// its name, then "ok" with what was found, or "refused" with the reason. The exit status is 0 either way.

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Date;
import java.util.TreeMap;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1Primitive;
import org.bouncycastle.asn1.x509.AuthorityKeyIdentifier;
import org.bouncycastle.asn1.x509.CRLDistPoint;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.SubjectKeyIdentifier;
import org.bouncycastle.cert.X509AttributeCertificateHolder;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;

public class Attribute {
    public static void main(String[] dirs) {
        for (String dir : dirs) {
            Path d = Path.of(dir);
            String verdict;
            try {
                verdict = "ok " + judge(d);
            } catch (Exception e) {
                verdict = "refused " + e.toString().replace('\n', ' ');
            }
            System.out.println(d.getFileName() + " " + verdict);
        }
    }

    static String judge(Path dir) throws Exception {
        byte[] der = Files.readAllBytes(dir.resolve("attribute.der"));
        X509CertificateHolder base = new X509CertificateHolder(Files.readAllBytes(dir.resolve("base.der")));
        X509CertificateHolder issuer = new X509CertificateHolder(Files.readAllBytes(dir.resolve("issuer.der")));

        demand(Arrays.equals(der, ASN1Primitive.fromByteArray(der).getEncoded(ASN1Encoding.DER)), "not DER");
        X509AttributeCertificateHolder cert = new X509AttributeCertificateHolder(der);
        demand(cert.getVersion() == 2, "version " + cert.getVersion());
        demand(cert.isSignatureValid(new JcaContentVerifierProviderBuilder().build(issuer)), "the signature is wrong");
        demand(cert.getHolder().match(base), "the holder is another");
        demand(base.getSerialNumber().equals(cert.getHolder().getSerialNumber()), "the holder is not named by serial number");
        demand(cert.getIssuer().match(issuer), "the issuer is another");
        demand(cert.isValidOn(new Date()), "not valid now");

        AuthorityKeyIdentifier key = AuthorityKeyIdentifier.getInstance(cert.getExtension(Extension.authorityKeyIdentifier).getParsedValue());
        SubjectKeyIdentifier own = SubjectKeyIdentifier.fromExtensions(issuer.getExtensions());
        demand(Arrays.equals(key.getKeyIdentifier(), own.getKeyIdentifier()), "the key identifier is not the issuer's");
        CRLDistPoint points = CRLDistPoint.getInstance(cert.getExtension(Extension.cRLDistributionPoints).getParsedValue());
        demand(points.getDistributionPoints().length == 1, points.getDistributionPoints().length + " places for CRLs");
        demand(cert.getExtension(Extension.authorityInfoAccess) != null, "no way to the issuer's certificate");

        TreeMap<String, Integer> found = new TreeMap<>();
        for (org.bouncycastle.asn1.x509.Attribute a : cert.getAttributes()) {
            found.put(a.getAttrType().getId(), a.getAttrValues().size());
        }
        return "attributes=" + found + " extensions=" + cert.getExtensionOIDs().size();
    }

    static void demand(boolean held, String otherwise) throws Exception {
        if (!held) throw new Exception(otherwise);
    }
}
