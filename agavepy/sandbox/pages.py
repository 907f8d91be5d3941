"""The few pages a person sees: plain HTML, no script, everything escaped."""

from __future__ import annotations

import base64
import hashlib
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .answers import Answer
from .token_endpoint import NO_CACHE

_FORM_STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 1.5rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.35rem; }
label { display: block; margin: 1rem 0; }
input { display: block; box-sizing: border-box; width: 100%; margin-top: .25rem; padding: .6rem; font: inherit; }
button { width: 100%; margin: .4rem 0; padding: .75rem; font: inherit; }
[role=alert] { border-left: .3rem solid #b00020; padding-left: .7rem; }
"""
_GLANCE_STYLE = """
:root { color-scheme: light dark; }
body { font: 17px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem 1rem 3rem;
  overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .75rem; }
ul { list-style: none; margin: 0; padding: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .75rem; }
.figures li { border: 1px solid #8885; border-radius: .5rem; padding: .6rem .8rem; }
.figures b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.services { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem 2rem; }
.services a { font-weight: 600; display: inline-block; padding: .2rem 0; }
small { font-size: .9rem; line-height: 1.3; opacity: .8; }
.figures small { display: block; }
@media (max-width: 28rem) { .figures li:last-child:nth-child(odd) { grid-column: 1 / -1; } }
pre { white-space: pre-wrap; padding: .8rem; border: 1px solid #8885; border-radius: .5rem; font-size: .85rem; }
"""
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


def glance(
    title: str, *, figures: Sequence[tuple[str, int, str]], services: Sequence[tuple[str, str, str, str]], sample: str
) -> Answer:
    """
    Return the page that shows a tenant at a glance.

    :param figures: what is counted, how many there are, and more about it.
    :param services: name, the address of its document, how much of it is served, what it is for.
    :param sample: Python that connects to it.
    """
    counted = "\n".join(
        f"<li><b>{count:,}</b>{escape(what)}{f'<small>{escape(more)}</small>' if more else ''}</li>"
        for what, count, more in figures
    )
    listed = "\n".join(
        f'<li><a href="{escape(address)}">{escape(name)}</a> <small>{escape(served)}</small><br>{escape(about)}</li>'
        for name, address, served, about in services
    )
    body = f"""<h1>{escape(title)}</h1>
<p>A sandbox of the Agave platform, for this machine only. Names and contents are shown to those who log in.</p>
<ul class="figures">
{counted}
</ul>
<h2>Connect from Python</h2>
<pre>{escape(sample)}</pre>
<h2>Services</h2>
<p>Each link is the service's Swagger document.</p>
<ul class="services">
{listed}
</ul>"""
    return _page(200, title, body, form_action="'none'", style=_GLANCE_STYLE)


def error(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return the page that says why nothing was done."""
    body = f'<h1>This cannot be done</h1>\n<p role="alert">{escape(reason)}</p>'
    return _page(status, "This cannot be done", body, form_action="'none'", headers=headers)


def redirect(status: int, address: str) -> Answer:
    """Return the answer that sends the browser on."""
    return Answer(status, headers={"location": address, "referrer-policy": "no-referrer", **NO_CACHE})


def _page(
    status: int,
    title: str,
    body: str,
    *,
    form_action: str,
    style: str = _FORM_STYLE,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    text = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{style}</style>
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
        headers={**_guards(form_action, style), **NO_CACHE, **(headers or {})},
    )


def _guards(form_action: str, style: str) -> dict[str, str]:
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style_hash}'; form-action {form_action}"
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
