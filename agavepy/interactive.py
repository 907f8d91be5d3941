"""
Names of the interactive steps' errors in earlier releases.

The steps themselves are methods of the client: ``init()``, ``clients_create()``, ``get_access_token()`` and their kin.
"""

from __future__ import annotations

from .errors import AgavepyError

__all__ = ["AgaveAPICallError", "AgaveClientError", "AgaveFilesError", "AgaveTokenError", "DiscontinuedError"]

# 0.9: what a step raised. An except clause with one of them catches whatever a step raises now.
AgaveAPICallError = AgaveClientError = AgaveFilesError = AgaveTokenError = AgavepyError


class DiscontinuedError(NotImplementedError):
    """1.0: raised by every interactive step; never now, since they work."""
