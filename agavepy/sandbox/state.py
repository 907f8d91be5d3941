"""The tenant itself, without HTTP: its folder, store, clock, accounts, runner and services."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from .accounts import Accounts
from .checksums import Checksums
from .clock import Clock
from .credentials import CredentialsFile
from .disk import Disk
from .events import Events
from .runner import JobRunner
from .services import Service
from .services.actors import Actors
from .services.admin import Admin
from .services.apps import Apps
from .services.attempts import Attempts
from .services.clients import Clients
from .services.files import Files
from .services.jobs import Jobs
from .services.meta import Meta
from .services.monitors import Monitors
from .services.notifications import Notifications
from .services.postits import Postits
from .services.profiles import Profiles
from .services.systems import Systems
from .services.tenants import Announced, Tenants
from .services.transforms import Transforms
from .store import Store

DEFAULT_USER = "sandbox"
ADMIN_USER = "admin"


class RootInUse(RuntimeError):
    """Another tenant runs on this root."""


class State:
    """
    A tenant. The same root gives the same tenant again, with nothing lost.

    On a fresh root there are the users ``sandbox`` and ``admin``, the public default storage system
    ``sandbox-storage`` and the public execution system ``sandbox-exec``.

    :param token_ttl_s: seconds an access token lives.
    :param tenants: further tenants that the tenants service lists.
    :param url: where it is served, for the links in notifications.
    :param smtp: host and port of the server for e-mails; None: they fail.
    :param images: image name → command line, of images that actors may name.
    :raises RootInUse: another process, or another State, has this root.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock | None = None,
        token_ttl_s: int = 14400,
        tenant_id: str = "sandbox",
        tenants: Sequence[Announced] = (),
        users: dict[str, str] | None = None,
        url: str = "",
        smtp: tuple[str, int] | None = None,
        images: Mapping[str, str] | None = None,
    ) -> None:
        self.root = Path(root).resolve()
        if self.root.exists() and not self.root.is_dir():
            raise NotADirectoryError(f"{self.root} is a file; a tenant keeps everything in a folder.")
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.tenant_id = tenant_id
        self.announced = tuple(tenants)
        self.images = dict(images or {})
        self.clock = clock or Clock()
        self.url, self.smtp = url, smtp
        self.events = Events()
        with contextlib.ExitStack() as undo:
            undo.enter_context(_locked(self.root / "lock"))
            self.store = Store(self.root / "tenant.sqlite")
            undo.callback(self.store.close)
            self.accounts = Accounts(self.store, self.clock, token_ttl_s=token_ttl_s)
            self.credentials = CredentialsFile(self.root / "credentials.json", self.accounts)
            self.disk = Disk(self.root)
            self.checksums = Checksums(self.store, self.clock)
            self.systems = Systems(self)
            self.services = self._services()
            for service in self.services.values():
                undo.callback(service.close)
            self._furnish(users or {})
            for service in self.services.values():
                service.start()
            self.runner = JobRunner(self)
            undo.callback(self.runner.stop)
            self.runner.start()
            self._undo = undo.pop_all()

    def close(self) -> None:
        """Stop the jobs and imports that run, close the store, give the root free."""
        self._undo.close()

    def let_go(self) -> None:
        """End the waiting of requests that are being answered; the tenant stops."""
        for service in self.services.values():
            service.let_go()

    def run_until_idle(self, *, timeout_s: float = 60) -> None:
        """Return when nothing is left to do: no import, job, execution of an actor, check or delivery that is due.

        :raises TimeoutError: not in time.
        """
        for service in self.services.values():
            service.wait_idle(timeout_s)
        self.runner.run_until_idle(timeout_s=timeout_s)
        self.services["notifications"].wait_idle(timeout_s)  # of what the jobs have published

    def _services(self) -> dict[str, Service]:
        kinds: tuple[type[Service], ...] = (
            *(Tenants, Clients, Profiles, Notifications, Attempts, Files, Apps, Jobs, Meta),
            *(Monitors, Postits, Transforms, Admin, Actors),
        )
        return {each.name: each for each in (self.systems, *(kind(self) for kind in kinds))}

    def _furnish(self, users: dict[str, str]) -> None:
        self.credentials.ensure_user(ADMIN_USER, admin=True)
        for name, password in users.items():
            self.accounts.add_user(name, password)
            self.credentials.forget_password(name)
        if not users:
            self.credentials.ensure_user(DEFAULT_USER)
        self._furnish_systems()

    def _furnish_systems(self) -> None:
        with self.store.transaction():
            if self.store.get("tenant", "furnished") is None:
                self.systems.create_built_in(owner=ADMIN_USER)
                self.store.put("tenant", "furnished", {}, updated=self.clock.now())


def _locked(path: Path) -> IO[bytes]:
    """Return the open lock file of a root; closing it gives the root free."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise RootInUse(f"A tenant is running in {path.parent}: stop it, or choose another root.") from None
    return file
