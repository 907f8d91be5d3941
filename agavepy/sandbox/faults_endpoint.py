"""``/sandbox/faults``: faults asked for over HTTP, by administrators."""

from __future__ import annotations

from typing import Any

from . import envelope, faults, gateway
from .accounts import Accounts
from .answers import Answer
from .api import BadRequest, Forbidden
from .faults import Faults
from .request import Request
from .routing import WrongVerb

PATH = "sandbox/faults"


class FaultsEndpoint:
    """GET tells which faults are to come, POST asks for one more (the parameters of Fault), DELETE clears them."""

    def __init__(self, faults: Faults, accounts: Accounts) -> None:
        self._faults = faults
        self._accounts = accounts

    def answer(self, request: Request, document: Any) -> Answer:
        """Answer a request; :raises ApiError: it is not an administrator's, or makes no sense."""
        user = gateway.bearer_user(self._accounts, request.authorization, request.path)
        request.noted["user"] = user
        if not self._accounts.is_admin(user):
            raise Forbidden("Permission denied. Only tenant administrators may ask for faults.")
        if request.method not in ("GET", "HEAD", "POST", "DELETE"):
            return gateway.no_resource(WrongVerb(("DELETE", "GET", "POST")), request.method, request.path)
        if request.method == "POST":
            self._add(faults.read(document))
        if request.method == "DELETE":
            self._faults.clear()
        coming = [{"times": each.times, **each.shown()} for each in self._faults.coming]
        status = 201 if request.method == "POST" else 200
        return envelope.success(status, coming, message=None, query=request.query)

    def _add(self, fault: faults.Fault) -> None:
        try:
            self._faults.add(fault)
        except ValueError as problem:
            raise BadRequest(str(problem)) from None
