"""Certificates of a server that speaks TLS 1.2 and newer (RFC 8446). Begin with `server_context`."""

from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, SSLError, TLSVersion

from contracts.errors import MisuseError


def context_of(certificate: Path | None, key: Path | None) -> SSLContext | None:
    """Return what TLS needs, None without files: plain HTTP. Raises MisuseError: one is missing, or as below."""
    if certificate is None and key is None:
        return None
    if certificate is None:
        raise MisuseError("--tls-key is without --tls-cert.", cure="Name the file of its certificate.")
    if key is None:
        raise MisuseError("--tls-cert is without --tls-key.", cure="Name the file of its key.")
    return server_context(certificate, key)


def server_context(certificate: Path, key: Path) -> SSLContext:
    """Return what a server needs for TLS: a certificate, its chain behind it, and its key, both in PEM.

    Raises MisuseError: a file cannot be read or is no such file, the key has a passphrase, or they do not fit together.
    """
    for path, option, wanted in (
        (certificate, "--tls-cert", b"BEGIN CERTIFICATE"),
        (key, "--tls-key", b"PRIVATE KEY"),
    ):
        try:
            text = path.read_bytes()
        except OSError as error:
            raise MisuseError(f"{path} cannot be read: {error.strerror}.", cure=f"Check {option}.") from None
        if wanted not in text:
            what = "certificate" if option == "--tls-cert" else "key"
            raise MisuseError(f"{path} has no {what} in PEM.", cure=f"Name one that has with {option}.")
    if b"ENCRYPTED" in text:
        raise MisuseError(f"the key in {path} has a passphrase.", cure="Save one without: openssl pkey -in FILE.")
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.minimum_version = TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password="")
    except SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise MisuseError(
                f"the key in {key} is not that of the certificate in {certificate}.", cure="Name both of one pair."
            ) from None
        raise MisuseError(
            f"{certificate} and {key} cannot be used for TLS: {error.reason or 'they are damaged'}.",
            cure="Make new ones.",
        ) from None
    return context
