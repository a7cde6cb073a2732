#!/bin/sh
# Makes the certificates of the tests again. They are good for nothing else: their keys are public.
set -e
cd "$(dirname "$0")"
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
signed() { # name subject extensions notBefore notAfter
  key "$1"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
  printf '%s\n' "$3" > "$1.ext"
  openssl ca -batch -config ca.cnf -in "$1.csr" -out "$1.pem" -extfile "$1.ext" -startdate "$4" -enddate "$5" -notext
  rm "$1.csr" "$1.ext"
}
cat > ca.cnf <<CNF
[ca]
default_ca = test
[test]
certificate = authority.pem
private_key = authority.key
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
organizationName = optional
CNF
: > index.txt
LONG=21200101000000Z
key authority
openssl req -new -key authority.key -subj "/CN=Test authority" -out authority.csr
printf '%s\n' "basicConstraints=critical,CA:TRUE" > authority.ext
openssl ca -batch -config ca.cnf -selfsign -in authority.csr -out authority.pem -extfile authority.ext -startdate 20200101000000Z -enddate $LONG -notext
rm authority.csr authority.ext
signed server "/CN=server" "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1" 20200101000000Z $LONG
signed expired "/CN=expired" "subjectAltName=DNS:localhost,IP:127.0.0.1" 20200101000000Z 20200102000000Z
signed elsewhere "/CN=elsewhere" "subjectAltName=DNS:elsewhere.example" 20200101000000Z $LONG
signed client "/O=Workshop/CN=bot-7" "extendedKeyUsage=clientAuth" 20200101000000Z $LONG
rm -f index.txt* ca.cnf authority.key [0-9A-F][0-9A-F]*.pem
