"""Media types of files, by their names alone, so that every machine says the same."""

from __future__ import annotations

import mimetypes

FOLDER = "text/directory"
_UNKNOWN = "application/octet-stream"
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}

# Python's own table, without what /etc/mime.types of this machine adds.
_TYPES = mimetypes.MimeTypes()


def type_of(name: str) -> str:
    """Return the media type a file's name suggests."""
    # A ":" would be read as a URL's scheme.
    found, encoding = _TYPES.guess_type(name.replace(":", "_"), strict=True)
    return _COMPRESSED.get(encoding, _UNKNOWN) if encoding else found or _UNKNOWN
