"""Keyrings for tests: one in memory, one in a file that several processes share, one forgetful, one locked."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class Memory(KeyringBackend):
    """Kept as long as the process."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, str] = {}

    def read(self) -> dict[str, str]:
        return self.kept

    def write(self, kept: dict[str, str]) -> None:
        self.kept = kept

    def get_password(self, service: str, username: str) -> str | None:
        return self.read().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self.write({**self.read(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        kept = dict(self.read())
        if kept.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("not found")
        self.write(kept)


class Shared(Memory):
    """Kept in the file that AGAVEPY_TEST_KEYRING names."""

    def read(self) -> dict[str, str]:
        path = Path(os.environ["AGAVEPY_TEST_KEYRING"])
        return json.loads(path.read_text()) if path.exists() else {}

    def write(self, kept: dict[str, str]) -> None:
        path = Path(os.environ["AGAVEPY_TEST_KEYRING"])
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        aside.write_text(json.dumps(kept))
        aside.replace(path)


class Forgetful(Memory):
    """Takes everything and keeps nothing."""

    def write(self, kept: dict[str, str]) -> None:
        pass


class Locked(Memory):
    """Nobody unlocks it."""

    def read(self) -> dict[str, str]:
        raise KeyringLocked("Failed to unlock the collection!\nCall your administrator.")
