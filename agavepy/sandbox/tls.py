"""The tenant's own certificate authority and server certificate."""

from __future__ import annotations

import os
from pathlib import Path

from . import durable

NAMES = ("localhost", "127.0.0.1", "::1")


def certificate(root: Path) -> tuple[Path, Path]:
    """
    Return the CA's certificate, for those who connect, and the server's key with its chain, 0600.

    Made once for a root and kept: a tenant started again is the one its callers trust already. The CA's key is
    never written, so that nothing else can be signed with it.
    """
    ca_file, server_file = authority_file(root), root / "server.pem"
    if not (ca_file.exists() and server_file.exists()):
        _make(ca_file, server_file)
    return ca_file, server_file


def authority_file(root: Path) -> Path:
    """Return where the CA's certificate of a root is; a tenant without TLS has none."""
    return root / "ca.pem"


def _make(ca_file: Path, server_file: Path) -> None:
    import trustme  # takes 100 ms, and only a tenant with TLS needs it

    authority = trustme.CA(organization_name="agavepy sandbox")
    leaf = authority.issue_cert(*NAMES)
    write_private(server_file, leaf.private_key_and_cert_chain_pem.bytes())
    ca_file.write_bytes(authority.cert_pem.bytes())


def write_private(path: Path, data: bytes) -> None:
    """Replace a file whole, readable by its owner alone from the first byte."""
    arriving = path.with_name(f".{path.name}.new")
    arriving.unlink(missing_ok=True)
    with os.fdopen(os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    durable.replace(arriving, path)
