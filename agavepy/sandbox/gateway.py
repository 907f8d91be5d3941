"""What stands before the services: who is calling, and the faults of those who may not."""

from __future__ import annotations

import base64
import binascii
import json
from xml.sax.saxutils import escape

from .accounts import Accounts
from .answers import Answer
from .api import BadRequest
from .apis import CALLABLE, Api
from .envelope import VERSION
from .routing import WrongVerb

MISSING = (900902, "Missing Credentials", 'Send the header "Authorization: Bearer ACCESS_TOKEN".')
UNKNOWN = (900901, "Invalid Credentials", "Make sure you have given the correct access token")
EXPIRED = (900903, "Access Token Expired")
INACTIVE = (900904, "Access Token Inactive")
BLOCKED = (900907, "The requested API is temporarily blocked")
NO_RESOURCE = (900906, "No matching resource found in the API for the given request")
NOT_SUBSCRIBED = (900908, "Resource forbidden")


class Refused(Exception):
    """The gateway answers in the service's place."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"refused with status {answer.status}")
        self.answer = answer


def bearer_user(accounts: Accounts, authorization: str, path: str) -> str:
    """
    Return the user a bearer token speaks for.

    :raises Refused: 401 with fault 900901 to 900904, 403 with 900908, in the gateway's formats.
    """
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(_json_fault(401, *MISSING, path))
    bearer = accounts.tokens.bearer(token.strip())
    if bearer is None:
        raise Refused(_json_fault(401, *UNKNOWN, path))
    _check_state(accounts.tokens.state(bearer), token.strip(), path)
    api = check_api(accounts, path, user=bearer.user)
    if api and api["name"] not in bearer.apis:
        raise Refused(_json_fault(403, *NOT_SUBSCRIBED, f"The client has no subscription to {api['name']}.", path))
    return bearer.user


def check_api(accounts: Accounts, path: str, *, user: str) -> Api | None:
    """
    Return the API at a path; None: what is there needs no subscription.

    :raises Refused: it is not in use, or not for this user; empty: for nobody in particular.
    """
    api = accounts.apis.of_segment(path.partition("/")[0])
    if api is None:
        return None
    if api["status"] == "BLOCKED":
        raise Refused(_json_fault(403, *BLOCKED, f"The API {api['name']} is blocked.", path))
    if api["status"] not in CALLABLE:
        raise Refused(_json_fault(404, *NO_RESOURCE, f"The API {api['name']} is {api['status'].lower()}.", path))
    if api["roles"] and not accounts.is_admin(user) and not accounts.roles.of(user) & set(api["roles"]):
        raise Refused(_json_fault(403, *NOT_SUBSCRIBED, f"The API {api['name']} is for some roles only.", path))
    return api


def basic_user(accounts: Accounts, authorization: str) -> str:
    """
    Return the user whose name and password the header carries, for the clients service.

    :raises Refused: 401 when there is none, with the service's own envelope.
    :raises BadRequest: anything else that is wrong with it, a wrong password too.
    """
    if not authorization:
        raise Refused(_challenge())
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or not encoded.strip():
        raise BadRequest("Invalid Authorization header format.")
    name, _, password = _decoded(encoded).partition(":")
    if ":" in password:
        raise BadRequest("Unable to authenticate user.")  # the real decoder splits on every colon
    if not accounts.verify(name, password):
        raise BadRequest("Invalid username/password combination.")
    return name


def no_resource(found: WrongVerb | None, method: str, path: str) -> Answer:
    """Return the fault for an address, or a verb, that no operation answers."""
    if found is None:
        return _json_fault(404, *NO_RESOURCE, f"Nothing is served at {method} /{path}", path)
    fault = _json_fault(405, *NO_RESOURCE, f"/{path} does not take {method}", path)
    fault.headers = {"allow": ", ".join(found.allowed)}
    return fault


def _check_state(state: str, token: str, path: str) -> None:
    if state == "inactive":
        raise Refused(_xml_fault(*INACTIVE, token, path))
    if state == "expired":
        raise Refused(_xml_fault(*EXPIRED, token, path))


def _json_fault(status: int, code: int, message: str, advice: str, path: str) -> Answer:
    description = f"Access failure for API: {_context(path)}, version: v2 status: ({code}) - {message}. {advice}"
    fault = {"fault": {"code": code, "message": message, "description": description}}
    # Compact: command-line tools look for a body that begins with {"fault":{"code"
    return Answer(status, json.dumps(fault, separators=(",", ":")).encode())


def _xml_fault(code: int, message: str, token: str, path: str) -> Answer:
    # The key is cut: enough to recognise the token, not enough to use it.
    description = escape(f"Access failure for API: {_context(path)}, version: v2 with key: {token[:10]}")
    body = (
        f'<ams:fault xmlns:ams="http://wso2.org/apimanager/security"><ams:code>{code}</ams:code>\n'
        f"<ams:message>{message}</ams:message>\n<ams:description>{description}</ams:description></ams:fault>"
    )
    return Answer(401, body.encode("utf-8"), media_type="application/xml; charset=UTF-8")


def _context(path: str) -> str:
    return "/" + "/".join(path.split("/")[:2])


def _challenge() -> Answer:
    body = {"status": "error", "message": "Authorization header missing or invalid.", "result": {}, "version": VERSION}
    headers = {"www-authenticate": 'Basic realm="Agave Platform"'}
    return Answer(401, json.dumps(body, separators=(",", ":")).encode(), headers=headers)


def _decoded(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        raise BadRequest("Invalid Authorization header format.") from None
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")  # what requests and older command-line tools send
