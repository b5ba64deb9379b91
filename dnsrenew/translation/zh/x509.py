"""Certificates from a CA, and files of another issuer."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    "A certificate in the chain from the CA is valid from {not_before} to {not_after}, and this host's clock shows "
    "{now}.": ("CA 给出的证书链中有一个证书的有效期为 {not_before} 至 {not_after}，而本机时钟显示 {now}。"),
    "A certificate in the chain is valid from {not_before} to {not_after}, and this host's clock shows {now}.": (
        "证书链中有一个证书的有效期为 {not_before} 至 {not_after}，而本机时钟显示 {now}。"
    ),
    "Add the certificate of the issuer, its intermediate certificate, to the file.": (
        "请把签发者的证书（即中间证书）加入该文件。"
    ),
    "Ask the issuer for a certificate for all domains of the configuration, as alternative names.": (
        "请向签发者申请把配置中的所有域名都作为备用名称的证书。"
    ),
    "Ask the issuer for a certificate for all domains of the configuration, or change the domains there.": (
        "请向签发者申请包含配置中所有域名的证书，或更改配置中的域名。"
    ),
    "Ask the issuer for a new certificate that TLS servers can use.": "请向签发者申请可供 TLS 服务器使用的新证书。",
    "Convert it, and install the result: umask 077 && openssl pkcs12 -in FILE -nodes -out certificate.pem": (
        "请转换格式并安装所得的文件：umask 077 && openssl pkcs12 -in FILE -nodes -out certificate.pem"
    ),
    "Decrypt it into a private file: umask 077 && openssl pkey -in KEYFILE -out decrypted.pem": (
        "请将其解密到私有文件：umask 077 && openssl pkey -in KEYFILE -out decrypted.pem"
    ),
    "Give the file from the issuer that has the certificate and its chain, in PEM, DER or PKCS#7 form.": (
        "请给出签发者提供的、含有证书及其证书链的文件，格式为 PEM、DER 或 PKCS#7。"
    ),
    "Give the file that has the certificate of the server, not only those of the issuer.": (
        "请给出含有服务器证书的文件，而不是只含签发者证书的文件。"
    ),
    "Give the file with the private key, in PEM or DER form.": "请给出含有私钥的文件，格式为 PEM 或 DER。",
    "Give the key that the certificate was requested with: --key FILE": "请给出申请该证书时所用的私钥：--key FILE",
    "None of the other certificates in the file issued the certificate: that of {issuer} is missing.": (
        "文件中的其他证书都没有签发该证书：缺少 {issuer} 的证书。"
    ),
    "Replace it in the file with the one that the issuer publishes now.": "请在文件中把它换成签发者现在公布的证书。",
    "Request a certificate for an ECDSA or RSA key, for example with: dnsrenew csr NAME": (
        "请用 ECDSA 或 RSA 密钥申请证书，例如：dnsrenew csr NAME"
    ),
    "Run dnsrenew again, and ask the CA if it happens again; the certificate was not kept.": (
        "请重新运行 dnsrenew，如果再次发生，请询问 CA；该证书没有保留。"
    ),
    "The certificate does not fit the private key.": "该证书与私钥不匹配。",
    "The certificate file cannot be used: {reason}.": "无法使用该证书文件：{reason}。",
    "The certificate file is a PKCS#12 file, and those are encrypted.": (
        "该证书文件是 PKCS#12 文件，而这种文件是加密的。"
    ),
    "The certificate from the CA cannot be read: {reason}.": "无法读取 CA 给出的证书：{reason}。",
    "The certificate from the CA is for another key than requested.": "CA 给出的证书使用的密钥不是所申请的密钥。",
    "The certificate from the CA is not for TLS servers: its extended key usage lacks serverAuth.": (
        "CA 给出的证书不能用于 TLS 服务器：其扩展密钥用途中没有 serverAuth。"
    ),
    "The certificate from the CA is not for {missing}: it has no names.": "CA 给出的证书不包含 {missing}：它没有名称。",
    "The certificate from the CA is not for {missing}; its names: {names}.": (
        "CA 给出的证书不包含 {missing}；它的名称：{names}。"
    ),
    "The certificate from the CA is one of a CA (basicConstraints CA:TRUE): TLS clients refuse it as a server's.": (
        "CA 给出的证书是 CA 证书（basicConstraints CA:TRUE）：TLS 客户端不接受它作为服务器证书。"
    ),
    "The certificate from the CA is valid from {not_before} to {not_after}, and this host's clock shows {now}.": (
        "CA 给出的证书的有效期为 {not_before} 至 {not_after}，而本机时钟显示 {now}。"
    ),
    "The certificate is not for TLS servers: its extended key usage lacks serverAuth.": (
        "该证书不能用于 TLS 服务器：其扩展密钥用途中没有 serverAuth。"
    ),
    "The certificate is not for {missing}: it has no alternative names, and clients ignore its common name.": (
        "该证书不包含 {missing}：它没有备用名称，而客户端会忽略其通用名称。"
    ),
    "The certificate is not for {missing}; its names: {names}.": "该证书不包含 {missing}；它的名称：{names}。",
    "The certificate is one of a CA (basicConstraints CA:TRUE): TLS clients refuse it as a server's.": (
        "该证书是 CA 证书（basicConstraints CA:TRUE）：TLS 客户端不接受它作为服务器证书。"
    ),
    "The certificate is valid from {not_before} to {not_after}, and this host's clock shows {now}.": (
        "该证书的有效期为 {not_before} 至 {not_after}，而本机时钟显示 {now}。"
    ),
    "The chain from the CA is broken: certificate {place} was not issued by the next one.": (
        "CA 给出的证书链有误：第 {place} 个证书不是由下一个证书签发的。"
    ),
    "The key file has no private key that can be read.": "该密钥文件中没有可读取的私钥。",
    "The private key is encrypted, and servers need it without a passphrase.": (
        "该私钥已加密，而服务器需要没有密码的私钥。"
    ),
    "The private key is neither an ECDSA nor an RSA key.": "该私钥既不是 ECDSA 密钥，也不是 RSA 密钥。",
    "it contains no certificate": "其中没有证书",
    "it has a private key, but no certificate": "其中有私钥，但没有证书",
    "it has no authority key identifier": "没有颁发机构密钥标识符",
    "it is a certificate request (CSR), not the certificate that the issuer makes from it": (
        "它是证书请求（CSR），而不是签发者据此签发的证书"
    ),
    "it is not a certificate in PEM form": "不是 PEM 格式的证书",
    "it is not a certificate in PEM, DER or PKCS#7 form": "不是 PEM、DER 或 PKCS#7 格式的证书",
    "it is not a certificate request": "不是证书请求",
    "it is that of another key": "属于另一个密钥",
    "it has more than {most} certificates": "其中的证书超过 {most} 个",
    "its serial number is not positive, or too long (RFC 5280 section 4.1.2.2)": (
        "其序列号不是正数，或者过长（RFC 5280 第 4.1.2.2 节）"
    ),
    "neither an ECDSA nor an RSA key": "既不是 ECDSA 密钥，也不是 RSA 密钥",
    "not an unencrypted private key in PEM form": "不是未加密的 PEM 格式私钥",
}
