"""The few pages a person sees: plain HTML, no script, everything escaped."""

from __future__ import annotations

import base64
import hashlib
import re
import urllib.parse
from collections.abc import Mapping
from html import escape
from typing import Any

from .answers import Answer
from .token_endpoint import NO_CACHE

_STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 1.5rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.35rem; }
label { display: block; margin: 1rem 0; }
input { display: block; box-sizing: border-box; width: 100%; margin-top: .25rem; padding: .6rem; font: inherit; }
button { width: 100%; margin: .4rem 0; padding: .75rem; font: inherit; }
[role=alert] { border-left: .3rem solid #b00020; padding-left: .7rem; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.-]+(:[0-9]+)?", re.IGNORECASE)


def consent(client: Mapping[str, Any], *, redirect_uri: str, ticket: str, message: str, username: str) -> Answer:
    """
    Return the page that asks for name, password and consent.

    :param ticket: goes back with the form, once.
    :param message: what was wrong with the last try.
    """
    alert = f'<p role="alert">{escape(message)}</p>' if message else ""
    about = f"<p>{escape(client['description'])}</p>" if client["description"] else ""
    body = f"""<h1>Allow {escape(client["name"])} to act for you?</h1>
{about}<p>It was made by the user <b>{escape(client["owner"])}</b> and will be able to do here whatever you may do.
You will be sent to <b>{escape(_target(redirect_uri))}</b>.</p>
{alert}<form method="post" action="/authorize">
<input type="hidden" name="ticket" value="{escape(ticket)}">
<label>User name <input name="username" value="{escape(username)}" autocomplete="username" autocapitalize="none"
 autocorrect="off" spellcheck="false" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button name="decision" value="approve">Approve</button>
<button name="decision" value="deny" formnovalidate>Deny</button>
</form>"""
    return _page(403 if message else 200, f"Allow {client['name']}", body, form_action=_form_action(redirect_uri))


def error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return the page that says why nothing was done."""
    body = f'<h1>This cannot be done</h1>\n<p role="alert">{escape(reason)}</p>'
    return _page(status, "This cannot be done", body, form_action="'none'", headers=headers)


def redirect(status: int, address: str) -> Answer:
    """Return the answer that sends the browser on."""
    return Answer(status, headers={"location": address, "referrer-policy": "no-referrer", **NO_CACHE})


def _page(status: int, title: str, body: str, *, form_action: str, headers: Mapping[str, str] | None = None) -> Answer:
    text = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""
    return Answer(
        status,
        text.encode("utf-8", "replace"),
        media_type="text/html; charset=utf-8",
        headers={**_guards(form_action), **NO_CACHE, **(headers or {})},
    )


def _guards(form_action: str) -> dict[str, str]:
    policy = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {form_action}"
    return {
        "content-security-policy": f"{policy}; frame-ancestors 'none'; base-uri 'none'",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",  # not less: with "no-referrer" browsers post the form from origin "null"
    }


def _form_action(redirect_uri: str) -> str:
    """Return where the form may lead: some browsers look at the redirect after it as well."""
    found = _ORIGIN.match(redirect_uri)
    if found and redirect_uri[found.end() : found.end() + 1] in ("", "/", "?"):
        return f"'self' {found[0]}"
    # CSP has no word for an IPv6 address: the scheme has to do.
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", redirect_uri)
    return f"'self' {scheme[0]}" if scheme else "'self'"


def _target(redirect_uri: str) -> str:
    """Return the part of an address that says whose it is."""
    parts = urllib.parse.urlsplit(redirect_uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else redirect_uri
