"""The ``agavepy`` command."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from . import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code. A failure is one line on stderr and code 1."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["sandbox"]:
        return _sandbox(arguments[1:])
    parsed = vars(_parser().parse_args(arguments))
    return _run(_COMMANDS[parsed.pop("command")], parsed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agavepy", description="Work with an Agave tenant, or run one.")
    parser.add_argument("--version", action="version", version=f"agavepy {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="run the main job from end to end on a tenant of its own")
    demo.add_argument("file", nargs="?", metavar="FILE", help="the file whose lines and words are counted")
    _add_login(commands)
    logout = commands.add_parser("logout", help="give the tokens of the current session back and forget it")
    logout.add_argument("--all", action="store_true", dest="everywhere", help="of every session")
    sessions = commands.add_parser("sessions", help="list who is logged in where; the current session is marked *")
    for command in (logout, sessions):
        _add_cache_dir(command)
    commands.add_parser("sandbox", help="run a whole tenant on this machine (see agavepy sandbox --help)")
    return parser


def _add_login(commands: Any) -> None:
    login = commands.add_parser(
        "login",
        help="log in at a tenant, once; the session is filed and renews itself",
        description="Log in at a tenant, once; the session is filed and renews itself. What is not given is taken from"
        " the environment (TAPIS_BASE_URL, TAPIS_TENANT_ID, TAPIS_USERNAME, TAPIS_PASSWORD), or asked for.",
    )
    login.add_argument("--tenant", metavar="ID", dest="tenant_id", help="the tenant, as the list of tenants has it")
    login.add_argument("--api-server", metavar="URL", help="its address; with --tenant: one that is not listed")
    login.add_argument("--username", metavar="NAME", help="the user")
    login.add_argument("--client", metavar="NAME", dest="client_name", help="the OAuth client to use, or to make")
    login.add_argument(
        "--browser", action="store_true", dest="by_browser", help="type name and password in the browser"
    )
    _add_cache_dir(login)


def _add_cache_dir(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--cache-dir", metavar="DIR", help="where sessions are filed (TAPIS_CACHE_DIR, AGAVE_CACHE_DIR, ~/.agave)"
    )


def _sandbox(arguments: Sequence[str]) -> int:
    try:
        from .sandbox import command
    except ImportError as error:
        return _fail(error)
    return command.main(arguments)


def _run(command: Callable[..., bool | None], options: dict[str, Any]) -> int:
    import requests

    from .errors import AgavepyError

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return 1 if command(**options) is False else 0
    except (AgavepyError, requests.exceptions.RequestException, OSError, ImportError) as error:
        return _fail(error)
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # a prompt may stand there
        return _fail("interrupted")


def _demo(file: str | None) -> None:
    from . import demo

    logging.getLogger("agavepy").addHandler(logging.NullHandler())
    demo.run(file)


def _login(**options: Any) -> None:
    from . import login

    login.log_in(**options)


def _logout(**options: Any) -> bool:
    from . import login

    return login.log_out(**options)


def _sessions(**options: Any) -> None:
    from . import login

    login.show(**options)


_COMMANDS: dict[str, Callable[..., bool | None]] = {
    "demo": _demo,
    "login": _login,
    "logout": _logout,
    "sessions": _sessions,
}


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _fail(error: BaseException | str) -> int:
    print(f"agavepy: {' '.join(str(error).split())}", file=sys.stderr)
    return 1
