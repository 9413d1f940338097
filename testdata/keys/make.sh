#!/bin/sh
# Makes the key files of this folder that need a Java runtime or GnuTLS, which
# `make test` does not ask for: run it in an empty folder with keytool (JDK 17)
# and certtool (GnuTLS 3.7) and copy the result here. The password is 1234 in
# certtool's files and changeit in Java's, which wants six characters.
# Everything else that tests need is made by openssl while they run.
set -eu

days=36500

# Java: as written today, as written before JDK 8u301 (RC2, 3DES), with two
# keys, with a chain, and the old format of its own.
gen() { keytool -genkeypair -keyalg RSA -keysize 2048 -validity $days -storepass changeit -keypass changeit -dname "CN=Java Officer, O=Demo, C=SE" "$@"; }
gen -storetype PKCS12 -keystore java.p12 -alias officer
gen -storetype PKCS12 -keystore java-legacy.p12 -alias officer -J-Dkeystore.pkcs12.legacy
gen -storetype PKCS12 -keystore java-two.p12 -alias officer
gen -storetype PKCS12 -keystore java-two.p12 -alias other
gen -storetype JKS -keystore java.jks -alias officer

gen -storetype PKCS12 -keystore java-chain.p12 -alias ca -dname 'CN=Java CA, O=Demo, C=SE' -ext bc:c
gen -storetype PKCS12 -keystore java-chain.p12 -alias officer
keytool -certreq -keystore java-chain.p12 -storepass changeit -alias officer |
	keytool -gencert -keystore java-chain.p12 -storepass changeit -alias ca -validity $days -rfc > officer.pem
keytool -exportcert -keystore java-chain.p12 -storepass changeit -alias ca -rfc > ca.pem
cat officer.pem ca.pem > both.pem
keytool -importcert -keystore java-chain.p12 -storepass changeit -alias officer -file both.pem -noprompt
keytool -delete -keystore java-chain.p12 -storepass changeit -alias ca
rm officer.pem ca.pem both.pem

# GnuTLS: a certificate alone, and with the chain above it.
certtool --generate-privkey --key-type=ecdsa --curve=secp256r1 --outfile ca.key
certtool --generate-privkey --key-type=ecdsa --curve=secp256r1 --outfile officer.key
printf 'cn = "GnuTLS CA"\nca\ncert_signing_key\nexpiration_days = %s\n' $days > ca.tmpl
printf 'cn = "GnuTLS Officer"\nsigning_key\nexpiration_days = %s\n' $days > officer.tmpl
certtool --generate-self-signed --load-privkey ca.key --template ca.tmpl --outfile ca.pem
certtool --generate-certificate --load-privkey officer.key --load-ca-certificate ca.pem --load-ca-privkey ca.key --template officer.tmpl --outfile officer.pem
p12() { certtool --to-p12 --outder --load-privkey officer.key --load-certificate officer.pem --p12-name officer --password 1234 "$@"; }
p12 --outfile gnutls.p12
p12 --load-ca-certificate ca.pem --outfile gnutls-chain.p12
rm ca.key ca.tmpl ca.pem officer.key officer.tmpl officer.pem
