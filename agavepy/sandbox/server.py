"""The tenant as a running server: started, asked about, stopped."""

from __future__ import annotations

import contextlib
import socket
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .. import specs
from .app import OAUTH, App
from .clock import Clock
from .credentials import CredentialsFile
from .faults import Fault, Faults
from .http_server import HttpServer
from .mail import server_of
from .routing import Routes
from .services.attempts import DOCUMENT as ATTEMPTS
from .services.monitors import DOCUMENT as MONITORS
from .services.postits import DOCUMENT as POSTITS
from .services.tenants import DOCUMENT as TENANTS
from .services.tenants import Announced, announced
from .state import DEFAULT_USER, State
from .tls import certificate

if TYPE_CHECKING:
    from ..agave import Agave

HOST = "127.0.0.1"  # loopback, and nothing else
_UNDECLARED = {  # what no YAML tells of
    "tenants": TENANTS,
    "postits": POSTITS,
    "attempts": ATTEMPTS,
    "monitors": MONITORS,
}


class Sandbox:
    """
    A tenant over HTTP on a loopback port, in a thread of this process.

    >>> with Sandbox() as tenant:
    ...     ag = tenant.client()
    ...     ag.profiles.get().username
    'sandbox'

    :param root: folder of all the tenant keeps, made if need be; the same root gives the same tenant again. None: a
        temporary folder, removed at the end.
    :param port: 0 takes any free one.
    :param tls: serve https, with a certificate signed by the CA in ``ca_file``.
    :param token_ttl_s: seconds an access token lives.
    :param users: name → password of users to have; the first is ``username``. None: ``sandbox``, with a generated
        password.
    :param tenant_id: its code, in the list of tenants.
    :param tenants: further tenants to announce, dicts with ``id``, ``name`` and ``url``.
    :param smtp: the server that takes the tenant's e-mails, ``"127.0.0.1:2525"``; without one they fail.
    :param images: image name → command line of this machine, for actors: ``{"me/wc": "python3 /home/me/wc.py"}``.
    :param clock: the tenant's time; a :class:`~agavepy.sandbox.ManualClock` for tests.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        port: int = 0,
        tls: bool = False,
        token_ttl_s: int = 14400,
        users: Mapping[str, str] | None = None,
        tenant_id: str = "sandbox",
        tenants: Sequence[Mapping[str, str]] = (),
        smtp: str | None = None,
        clock: Clock | None = None,
        images: Mapping[str, str] | None = None,
    ) -> None:
        self._smtp = server_of(smtp) if smtp is not None else None
        self._tenant_id, self._tenants = tenant_id, announced(tenant_id, tenants)
        self._wanted_root, self._wanted_port, self._tls = root, port, tls
        self._token_ttl_s, self._users, self._clock = token_ttl_s, dict(users or {}), clock
        self._images = dict(images or {})
        self.username = next(iter(self._users), DEFAULT_USER)
        self._passwords = dict(self._users)  # that somebody chose, so that no file need keep them
        self._running: _Running | None = None

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Sandbox:
        """
        Start serving; return once requests are answered.

        :raises OSError: the port is taken, or the root cannot be written.
        :raises RootInUse: another tenant has the root.
        """
        if self._running is not None:
            raise RuntimeError("The tenant is running already.")
        self._running = _Running(
            self._wanted_root,
            port=self._wanted_port,
            tls=self._tls,
            token_ttl_s=self._token_ttl_s,
            users=self._users,
            tenant_id=self._tenant_id,
            tenants=self._tenants,
            smtp=self._smtp,
            clock=self._clock,
            images=self._images,
        )
        return self

    def stop(self) -> None:
        """Stop serving, end jobs that run, remove a temporary root; nothing stays running."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    # Of a running tenant

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return self._live.url

    @property
    def ca_file(self) -> str | None:
        """The CA certificate to trust; None without TLS."""
        return str(self._live.ca_file) if self._live.ca_file else None

    @property
    def root(self) -> Path:
        """The folder of all it keeps."""
        return self._live.state.root

    @property
    def state(self) -> State:
        """The tenant behind the server."""
        return self._live.state

    @property
    def password(self) -> str:
        """The password of ``username``."""
        return self.password_of(self.username) or ""

    def password_of(self, name: str) -> str | None:
        """Return a user's password, where the tenant made it or was told in this run; else None."""
        return self._passwords.get(name) or self._credentials.password_of(name)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The last 10,000 requests, oldest first: dicts with method, path, status, operation, user, time.

        Those to ``/token`` have ``grant_type`` as well, those that a fault happened to ``fault``.
        """
        return self._live.app.requests

    def recorded(self) -> contextlib.AbstractContextManager[list[dict[str, Any]]]:
        """
        Watch what a piece of a program asks for: ``with tenant.recorded() as requests: …``.

        The list is filled with the requests made within the block, as :attr:`requests` has them, however many.
        """
        return self._live.app.recorded()

    def __repr__(self) -> str:
        where = self.url if self._running else "not running"
        return f"<Sandbox {where}, user {self.username}>"

    def add_user(self, name: str, password: str, *, admin: bool = False) -> None:
        """Add a user; one who exists gets the password."""
        self._live.state.accounts.add_user(name, password, admin=admin)
        self._credentials.forget_password(name)
        self._passwords[name] = password

    def fail_next(self, status: int | None = None, *, times: int = 1, operation: str = "*", **fault: Any) -> None:
        """
        Have something go wrong with the next requests of an operation.

        >>> tenant.fail_next(503, times=2, operation="jobs.submit")
        >>> tenant.fail_next(429, retry_after_s=3)
        >>> tenant.fail_next(reset_after=100_000, operation="files.download")

        :param status: answer with it; None: serve the request, with what ``fault`` says.
        :param fault: what else :class:`~agavepy.sandbox.faults.Fault` knows: html, delay_s, truncate_after, …
        :raises ValueError: no request could meet that.
        """
        self._live.faults.add(Fault(status, times=times, operation=operation, **fault))

    @property
    def faults(self) -> list[Fault]:
        """The faults that are still to come."""
        return self._live.faults.coming

    def clear_faults(self) -> None:
        """Forget the faults that are still to come."""
        self._live.faults.clear()

    def expire_tokens(self) -> None:
        """Make every access token expire now; refresh tokens stay."""
        self._live.state.accounts.tokens.expire()

    def revoke_refresh_tokens(self, user: str) -> None:
        """Make a user's refresh tokens worthless; access tokens live on to their end."""
        self._live.state.accounts.tokens.revoke_refresh_tokens(user)

    def run_until_idle(self, *, timeout_s: float = 60) -> None:
        """Return when no import, no job and no execution of an actor is left to do.

        :raises TimeoutError: not in time.
        """
        self._live.state.run_until_idle(timeout_s=timeout_s)

    def api_client(self, username: str | None = None) -> tuple[str, str]:
        """Return key and secret of an OAuth client of a user, by default ``username``: their DefaultApplication."""
        made = self._credentials.client_of(username or self.username)
        return made.key, made.secret

    def client(self, username: str | None = None) -> Agave:
        """
        Return an Agave client that is logged in as a user, by default as ``username``; ``admin`` always exists.

        :raises ValueError: the user's password is not known.
        """
        from ..agave import Agave

        name = username or self.username
        password = self.password_of(name)
        if password is None:
            raise ValueError(f"The password of {name!r} is not known: add_user({name!r}, …) gives a new one.")
        key, secret = self.api_client(name)
        return Agave(
            api_server=self.url,
            username=name,
            password=password,
            api_key=key,
            api_secret=secret,
            verify=self.ca_file or True,
        )

    @property
    def _credentials(self) -> CredentialsFile:
        return self._live.state.credentials

    @property
    def _live(self) -> _Running:
        if self._running is None:
            raise RuntimeError("The tenant is not running: use 'with Sandbox() as tenant:' or call start().")
        return self._running


class _Running:
    """All that exists while a tenant runs; made whole or not at all."""

    def __init__(
        self,
        root: str | Path | None,
        *,
        port: int,
        tls: bool,
        token_ttl_s: int,
        users: dict[str, str],
        tenant_id: str,
        tenants: Sequence[Announced],
        smtp: tuple[str, int] | None,
        clock: Clock | None,
        images: dict[str, str],
    ) -> None:
        self._undo: list[Any] = []
        try:
            socket_ = self._listening(port)
            folder = Path(root) if root is not None else self._temporary_folder()
            self.url = f"{'https' if tls else 'http'}://{HOST}:{socket_.getsockname()[1]}"
            with ThreadPoolExecutor(1) as aside:
                documents = aside.submit(specs.load)  # while passwords are hashed, which takes as long
                self.state = State(
                    folder,
                    clock=clock,
                    token_ttl_s=token_ttl_s,
                    tenant_id=tenant_id,
                    tenants=tenants,
                    users=users,
                    url=self.url,
                    smtp=smtp,
                    images=images,
                )
            self._undo.append(self.state.close)
            self.ca_file, server_file = _certificate(self.state.root, tls=tls)
            routes = Routes(documents.result(), _UNDECLARED)
            self.faults = Faults(
                sorted({*OAUTH, *(each.name for each in routes.operations())}),
                expire_tokens=self.state.accounts.tokens.expire,
                move_clock=self.state.clock.advance,
            )
            self.app = App(self.state, routes, self.faults, url=self.url)
            self._undo.append(self.app.close)
            server = HttpServer(self.app, server_file=server_file)
            self._undo.append(server.stop)
            server.start(socket_)
            self._undo.append(self.state.let_go)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Undo what was done, the last first."""
        while self._undo:
            self._undo.pop()()

    def _listening(self, port: int) -> socket.socket:
        # The protocol is named so that asyncio recognises TCP and turns Nagle off: 40 ms an answer otherwise.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._undo.append(listening.close)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        return listening

    def _temporary_folder(self) -> Path:
        folder = tempfile.TemporaryDirectory(prefix="agavepy-sandbox-")
        self._undo.append(folder.cleanup)
        return Path(folder.name)


def _certificate(root: Path, *, tls: bool) -> tuple[Path | None, Path | None]:
    return certificate(root) if tls else (None, None)
