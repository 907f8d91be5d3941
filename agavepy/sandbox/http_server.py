"""uvicorn in a thread of its own."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import threading
from pathlib import Path
from typing import Any

import uvicorn

from .app import App
from .connection import unsent_bytes

_START_TIMEOUT_S = 30.0
_KEEP_ALIVE_S = 75  # longer than pools of common clients keep an idle connection in use
_LAST_TURNS = 10  # of the event loop: to accept, to connect, to abort, to close
_TURN_S = 0.02
_GRACE_S = 5  # what a request that runs may still take when the tenant stops


class HttpServer(uvicorn.Server):
    """Serves an app on a listening socket, from a thread with its own event loop.

    :param server_file: key and certificate for https; None: http.
    """

    def __init__(self, app: App, *, server_file: Path | None) -> None:
        super().__init__(_config(app, server_file))
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def start(self, listening: socket.socket) -> None:
        """Serve on the socket; return once requests are answered."""
        self._thread = threading.Thread(
            target=self._serve_in_thread, args=(listening,), name="agavepy-sandbox-server", daemon=True
        )
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT_S) or not self.started:
            raise RuntimeError("The sandbox's server did not start.") from self._failure

    def stop(self) -> None:
        """Let requests that run end, then close everything."""
        self.should_exit = True
        if self._thread is not None:
            self._thread.join()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """
        Let go of who only waits at once, of who is being answered after a while.

        In place of uvicorn's: that one waits until the peers of idle TLS connections have closed them too, and
        reports what it cancels as errors.
        """
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        loop = asyncio.get_running_loop()
        end = loop.time() + _GRACE_S
        while self.server_state.connections or self.server_state.tasks:
            self._let_go(everybody=loop.time() >= end)
            await asyncio.sleep(_TURN_S)
        for _ in range(_LAST_TURNS):  # what was accepted at the last moment
            self._let_go(everybody=True)
            await asyncio.sleep(0)

    def _let_go(self, *, everybody: bool) -> None:
        for connection in list(self.server_state.connections):
            if everybody or _is_idle(connection):
                connection.transport.abort()  # whoever answers on it learns that nobody listens any more, and ends
            else:
                connection.shutdown()  # after this answer

    def _serve_in_thread(self, listening: socket.socket) -> None:
        try:
            self.run(sockets=[listening])
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()


def _config(app: App, server_file: Path | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_http_parser(),
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        ssl_certfile=server_file,
    )


def _is_idle(connection: Any) -> bool:
    """Return whether no answer is being made or on its way on a connection of uvicorn's."""
    answered = connection.cycle is None or connection.cycle.response_complete
    return answered and not unsent_bytes(connection.transport)


def _http_parser() -> str:
    """Return the faster parser where it is installed; both hand on a path byte by byte."""
    return "httptools" if importlib.util.find_spec("httptools") else "h11"
