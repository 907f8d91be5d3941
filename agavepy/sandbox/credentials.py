"""What only the person at this machine may know: generated passwords and secrets, in one 0600 file of the root."""

from __future__ import annotations

import json
import secrets
import threading
from pathlib import Path
from typing import Any

from .accounts import Accounts
from .oauth_clients import DEFAULT_CLIENT, Credentials
from .tls import write_private


class CredentialsFile:
    """``<root>/credentials.json``: user name → password, api_key and api_secret, as far as the tenant made them."""

    def __init__(self, path: Path, accounts: Accounts) -> None:
        self._path = path
        self._accounts = accounts
        self._lock = threading.Lock()

    def ensure_user(self, name: str, *, admin: bool = False) -> None:
        """Have a user with a generated password; one who is there with a known password keeps it."""
        with self._lock:
            known = self._read()
            mine = known.setdefault(name, {})
            if "password" in mine and self._accounts.exists(name):
                return
            generated = mine.setdefault("password", secrets.token_urlsafe(12))
            self._write(known)  # before the user is made: a password nobody knows would be no use
        self._accounts.add_user(name, generated, admin=admin)

    def password_of(self, name: str) -> str | None:
        """Return the generated password; None when the user's own is used."""
        password: str | None = self._read().get(name, {}).get("password")
        return password

    def client_of(self, name: str) -> Credentials:
        """Return working credentials of the user's DefaultApplication; made anew when they are not known."""
        with self._lock:
            known = self._read()
            mine = known.setdefault(name, {})
            if not self._accounts.clients.verify(mine.get("api_key", ""), mine.get("api_secret", "")):
                mine |= self._fresh_client(name)
                self._write(known)
            return Credentials(mine["api_key"], mine["api_secret"])

    def forget_password(self, name: str) -> None:
        """Forget a generated password: the user has one of their own now."""
        with self._lock:
            known = self._read()
            if known.get(name, {}).pop("password", None) is not None:
                self._write(known)

    def _fresh_client(self, name: str) -> dict[str, str]:
        clients = self._accounts.clients
        exists = clients.find(name, DEFAULT_CLIENT) is not None
        made = clients.renew(name, DEFAULT_CLIENT) if exists else clients.create(name, DEFAULT_CLIENT)
        return {"api_key": made.key, "api_secret": made.secret}

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            known: dict[str, dict[str, Any]] = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return known

    def _write(self, known: dict[str, dict[str, Any]]) -> None:
        write_private(self._path, json.dumps(known, indent=2).encode())
