"""
Requests shown as curl commands, for TAPIS_PY_SHOW_CURL=1.

What lets somebody in is replaced by a variable of the shell, such as ``$TOKEN``: set it, and the command can be pasted.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import urllib.parse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .multipart import MultipartBody
from .paths import NONCE_IN_PATH, is_secret

if TYPE_CHECKING:
    import requests

_FORM = "application/x-www-form-urlencoded"
_PLAIN_HEADERS = {"accept", "content-type", "range", "if-match", "if-none-match", "user-agent"}
_SENT_BY_CURL = {"content-length", "transfer-encoding"}
_SECRET_IN_FORMS = {"code", "code_verifier", "client_id"}  # of a grant
_PLAIN_IN_FORMS = {"token_username"}
_USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")
_PAIR = re.compile(r"([?&])([^=&#\s]+)=([^&#\s\"]*)")

# A placeholder inside a text, until the text is quoted for the shell: two characters of the private use area.
_BEGIN, _END = "\ue000", "\ue001"
_PLACEHOLDER = re.compile(f"{_BEGIN}([A-Z][A-Z0-9_]*){_END}")


def is_wanted() -> bool:
    """Tell whether TAPIS_PY_SHOW_CURL asks for it, at this moment."""
    return os.environ.get("TAPIS_PY_SHOW_CURL", "").strip().lower() in ("1", "true", "yes")


def show(request: requests.PreparedRequest, *, verify: bool | str = True) -> None:
    """Print a request that is about to be sent to stderr."""
    print(command(request, verify=verify), file=sys.stderr, flush=True)


def command(request: requests.PreparedRequest, *, verify: bool | str = True) -> str:
    """Return the curl command of a request, without characters that a terminal might obey."""
    words = [*_verb(request), *_certificates(verify), *_headers(request), *_body(request), _address(str(request.url))]
    text = " ".join(["curl", *map(_quoted, words)])
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)


def _verb(request: requests.PreparedRequest) -> list[str]:
    if request.method == "HEAD":
        return ["--head"]
    return [] if request.method == "GET" else ["-X", str(request.method)]


def _certificates(verify: bool | str) -> list[str]:
    if verify is False:
        return ["--insecure"]
    return [] if verify is True else ["--cacert", str(verify)]


def _headers(request: requests.PreparedRequest) -> Iterator[str]:
    is_multipart = isinstance(request.body, MultipartBody)
    for name, value in request.headers.items():
        if name.lower() in _SENT_BY_CURL or (is_multipart and name.lower() == "content-type"):
            continue
        if name.lower() == "authorization" and value.startswith("Basic "):
            yield from ("-u", _login(request))
        else:
            yield from ("-H", f"{name}: {_header_value(name, value)}")


def _login(request: requests.PreparedRequest) -> str:
    # With a form it is an OAuth client that shows who it is, not a user.
    pair = ("API_KEY", "API_SECRET") if _type(request) == _FORM else ("USERNAME", "PASSWORD")
    return ":".join(map(_variable, pair))


def _header_value(name: str, value: str) -> str:
    if name.lower() == "authorization":
        return f"{value.partition(' ')[0]} {_variable('TOKEN')}" if value.startswith("Bearer ") else _variable(name)
    # Any other may be the secret of some gateway.
    return value if name.lower() in _PLAIN_HEADERS else _variable(name)


def _body(request: requests.PreparedRequest) -> Iterator[str]:
    if isinstance(request.body, MultipartBody):
        yield from _parts(request.body)
    elif request.body and _type(request) == _FORM:
        for name, value in urllib.parse.parse_qsl(_text(request.body), keep_blank_values=True):
            yield from ("--data-urlencode", f"{name}={_form_value(name, value)}")
    elif request.body:
        yield from ("--data-binary", _document(request.body))


def _parts(body: MultipartBody) -> Iterator[str]:
    for name, value in body.fields:
        yield from ("--form-string", f"{name}={_form_value(name, value)}")
    yield from ("-F", f"{body.name}=@FILE;filename={json.dumps(body.file_name)}")


def _form_value(name: str, value: str) -> str:
    if name in _PLAIN_IN_FORMS:
        return value
    if name == "client_id":
        return _variable("API_KEY")
    return _variable(name) if name in _SECRET_IN_FORMS or is_secret(name) else _without_secrets(value)


def _document(body: Any) -> str:
    """Return a JSON document without its secrets; of anything else only that it is there."""
    try:
        document = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        return "@BODY"
    return json.dumps(_shown(document), ensure_ascii=False)


def _shown(value: Any, name: str = "") -> Any:
    if value and not isinstance(value, bool) and is_secret(name):
        return _variable(name)
    if isinstance(value, dict):
        return {key: _shown(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_shown(each) for each in value]
    return _without_secrets(value) if isinstance(value, str) else value


def _address(url: str) -> str:
    head, mark, query = url.partition("?")
    return NONCE_IN_PATH.sub(lambda found: found[1] + _variable("NONCE"), _without_secrets(head + mark + query))


def _without_secrets(text: str) -> str:
    """Return a text without the passwords and nonces of addresses in it."""
    return _PAIR.sub(_pair, _USER_INFO.sub("", text))


def _pair(found: re.Match[str]) -> str:
    mark, name, value = found.groups()
    return f"{mark}{name}={_variable(name.lower().removeprefix('x-')) if is_secret(name) else value}"


def _variable(name: str) -> str:
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", urllib.parse.unquote(name))
    return f"{_BEGIN}{re.sub(r'[^A-Z0-9]+', '_', words.upper()).strip('_') or 'SECRET'}{_END}"


def _quoted(word: str) -> str:
    """Return a word for the shell, in which only placeholders are variables."""
    pieces = _PLACEHOLDER.split(word)
    if len(pieces) == 1:
        return shlex.quote(word)
    literals, names = pieces[::2], pieces[1::2]
    if not any(re.search(r'[\\`$"!]', literal) for literal in literals):
        return '"' + _PLACEHOLDER.sub(r"${\1}" if _runs_on(literals) else r"$\1", word) + '"'
    return "".join(
        (shlex.quote(literal) if literal else "") + (f'"${name}"' if name else "")
        for literal, name in zip(literals, [*names, ""], strict=True)
    )


def _runs_on(literals: list[str]) -> bool:
    """Tell whether a letter follows a variable, which would become a part of its name."""
    return any(re.match(r"\w", literal) for literal in literals[1:])


def _type(request: requests.PreparedRequest) -> str:
    return str(request.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def _text(body: Any) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
