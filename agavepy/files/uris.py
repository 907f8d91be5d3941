"""What links in the answers of a tenant lead to."""

from __future__ import annotations

import os
import re
import urllib.parse
from pathlib import Path
from typing import Any

from ..errors import AgaveError
from .download import save

_OUTPUT = re.compile(r"/jobs/(?:v2|2\.0)/(?P<job>[^/]+)/outputs/(?:listings|media)/?(?P<path>.*)")


def download_uri(ag: Any, uri: str, local_path: str | os.PathLike[str]) -> None:
    """
    Save what a link leads to: ``agave://system-id/path``, or the address of a job's output.

    It is asked for at the client's own tenant, whatever host the link names. Names in it may be quoted, as in a link.

    :raises AgaveError: it is no such link.
    :raises AgaveHTTPError: the server refused; no file is made.
    """
    operation, keywords = _target(ag, uri)
    save(ag, lambda headers: operation(headers=dict(headers), **keywords), Path(local_path), name=uri)


def _target(ag: Any, uri: str) -> tuple[Any, dict[str, str]]:
    if uri.startswith("agave://"):
        system, _, path = uri.removeprefix("agave://").partition("/")
        if system and path:
            return ag.files.download, {"systemId": system, "filePath": path}
    output = _OUTPUT.search(urllib.parse.urlsplit(uri).path)
    if output and output["path"]:
        return ag.jobs.downloadOutput, {"jobId": output["job"], "filePath": output["path"]}
    raise AgaveError(f"{uri!r} is neither agave://system-id/path nor the address of a job's output.")
