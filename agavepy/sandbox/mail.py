"""One e-mail through the SMTP server that the tenant was started with."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from typing import Any

from .targets import is_mail
from .webhooks import Outcome

_TIMEOUT_S = 10
_SENDER = "no-reply@agave.invalid"  # a name that nobody can own, RFC 2606
_NO_SERVER = "No SMTP server is configured: start the tenant with Sandbox(smtp='HOST:PORT') or --smtp HOST:PORT."
_TIMES = {"created": "Created", "submitTime": "Submitted", "startTime": "Started", "endTime": "Ended"}


def server_of(address: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; :raises ValueError: it is not that."""
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{address!r} is no SMTP server: give it as HOST:PORT, such as 127.0.0.1:2525.")
    return host.strip("[]"), int(port)


def send(recipient: str, subject: str, text: str, *, server: tuple[str, int] | None) -> Outcome:
    """Send a plain text to one person."""
    if server is None:
        return Outcome(False, _NO_SERVER, hopeless=True)
    if not is_mail(recipient):
        return Outcome(False, f"{recipient!r} is no e-mail address once its macros are replaced.", hopeless=True)
    try:
        with smtplib.SMTP(*server, timeout=_TIMEOUT_S) as line:
            line.send_message(_message(recipient, subject, text))
        return Outcome(True, f"Sent to {recipient}")
    except (OSError, smtplib.SMTPException) as problem:
        return Outcome(False, f"{server[0]}:{server[1]} did not take the e-mail: {problem}")


def subject_of(kind: str, event: str, resource: dict[str, Any]) -> str:
    """Return the subject line of an e-mail about an event."""
    name = str(resource.get("name") or resource.get("id") or "")
    return " ".join(f"[Agave] {kind} {name} {event}".split())[:200]


def text_of(kind: str, event: str, uuid: str, resource: dict[str, Any]) -> str:
    """Return the text of an e-mail about an event: status, name, address, times and output path."""
    times = [(label, resource.get(name)) for name, label in _TIMES.items()]
    lines = [
        ("Event", event),
        ("Status", resource.get("status")),
        ("Name", resource.get("name")),
        ("Id", uuid),
        ("Address", ((resource.get("_links") or {}).get("self") or {}).get("href")),
        *times,
        ("Output path", resource.get("archivePath") or resource.get("outputPath")),
        ("Message", resource.get("message")),
    ]
    told = "\n".join(f"{label + ':':<13}{value}" for label, value in lines if value)
    return f"An event of the {kind} {uuid}:\n\n{told}\n"


def _message(recipient: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = _SENDER, recipient, subject
    message.set_content(text)
    return message
