// Judges CMS SignedData files with BouncyCastle, as an implementation that shares nothing with Go or OpenSSL.
//
//   java -cp bcprov.jar:bcpkix.jar:bcutil.jar Verify.java DIR...
//
// Each DIR holds signed.der, content.bin and root.der. One line a DIR goes to stdout: its name, then "ok" with what was
// found, or "refused" with the reason. The exit status is 0 either way: the caller knows what it expected.

import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.security.cert.CertPathBuilder;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Collection;
import java.util.Set;
import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1Primitive;
import org.bouncycastle.asn1.DERSet;
import org.bouncycastle.asn1.cms.CMSAttributes;
import org.bouncycastle.asn1.cms.SignedData;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaCertStoreBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.util.Store;

public class Verify {
    public static void main(String[] dirs) {
        Security.addProvider(new BouncyCastleProvider());
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
        byte[] signed = Files.readAllBytes(dir.resolve("signed.der"));
        byte[] content = Files.readAllBytes(dir.resolve("content.bin"));
        X509Certificate root = (X509Certificate) CertificateFactory.getInstance("X.509")
            .generateCertificate(new ByteArrayInputStream(Files.readAllBytes(dir.resolve("root.der"))));

        byte[] again = ASN1Primitive.fromByteArray(signed).getEncoded(ASN1Encoding.DER);
        demand(Arrays.equals(signed, again), "not DER: encoding it again gives other bytes");

        CMSSignedData cms = new CMSSignedData(signed);
        ASN1Encodable[] set = SignedData.getInstance(cms.toASN1Structure().getContent()).getCertificates().toArray();
        ASN1Encodable[] sorted = new DERSet(set).toArray(); // BouncyCastle keeps the order of a set behind a tag, so look
        for (int i = 0; i < set.length; i++) {
            demand(set[i].equals(sorted[i]), "not DER: the certificates are not sorted");
        }
        demand(cms.getSignedContent() != null, "the content is not inside");
        demand(Arrays.equals(content, (byte[]) cms.getSignedContent().getContent()), "another content than the one given");

        Collection<SignerInformation> signers = cms.getSignerInfos().getSigners();
        demand(signers.size() == 1, signers.size() + " signers");
        SignerInformation signer = signers.iterator().next();
        demand(signer.getSignedAttributes() != null, "no signed attributes");
        demand(signer.getSignedAttributes().get(CMSAttributes.contentType) != null, "no contentType");
        demand(signer.getSignedAttributes().get(CMSAttributes.messageDigest) != null, "no messageDigest");

        Store<X509CertificateHolder> certs = cms.getCertificates();
        @SuppressWarnings("unchecked")
        Collection<X509CertificateHolder> found = certs.getMatches(signer.getSID());
        demand(found.size() == 1, found.size() + " certificates fit the signer");
        X509CertificateHolder leaf = found.iterator().next();
        demand(signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(leaf)), "the signature is wrong");

        X509CertSelector target = new X509CertSelector();
        target.setCertificate(new JcaX509CertificateConverter().setProvider("BC").getCertificate(leaf));
        PKIXBuilderParameters path = new PKIXBuilderParameters(Set.of(new TrustAnchor(root, null)), target);
        CertStore inside = new JcaCertStoreBuilder().setProvider("BC").addCertificates(certs).build();
        path.addCertStore(inside);
        path.setRevocationEnabled(false);
        CertPathBuilder.getInstance("PKIX", "BC").build(path);

        return "certificates=" + certs.getMatches(null).size() + " digest=" + signer.getDigestAlgOID();
    }

    static void demand(boolean held, String otherwise) throws Exception {
        if (!held) throw new Exception(otherwise);
    }
}
