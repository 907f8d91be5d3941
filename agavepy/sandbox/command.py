"""``agavepy sandbox``: run a tenant until it is told to stop."""

from __future__ import annotations

import argparse
import errno
import logging
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

from . import Sandbox, memory
from .actor_images import Images
from .api import ApiError
from .mail import server_of
from .state import RootInUse

_PAUSE_S = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 when it was told to end, 1 when it could not start."""
    chosen = _parser().parse_args(argv)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        _serve(chosen)
    except KeyboardInterrupt:
        return 0
    except (OSError, RootInUse, ApiError) as error:
        print(f"agavepy sandbox: {_reason(error, chosen.port)}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agavepy sandbox", description="Run a whole Agave tenant on this machine.")
    parser.add_argument("--root", type=_folder, metavar="DIR", help="keep everything here; default: a temporary folder")
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="default: any free one")
    parser.add_argument("--tls", action="store_true", help="serve https, with a certificate of its own")
    parser.add_argument("--token-ttl", type=_seconds, default=14400, metavar="S", help="seconds a token lives")
    parser.add_argument("--smtp", type=_smtp, metavar="HOST:PORT", help="the server that takes its e-mails")
    parser.add_argument("--user", type=_user, metavar="NAME:PASSWORD", help="default: 'sandbox'")
    parser.add_argument(
        "--image", type=_image, action="append", metavar="NAME=COMMAND", help="run actors of this image by a command"
    )
    return parser


def _serve(chosen: argparse.Namespace) -> None:
    users = dict([chosen.user]) if chosen.user else None
    tenant = Sandbox(
        chosen.root,
        port=chosen.port,
        tls=chosen.tls,
        token_ttl_s=chosen.token_ttl,
        users=users,
        smtp=chosen.smtp,
        images=dict(chosen.image or ()),
    )
    with tenant:
        print(_greeting(tenant), flush=True)
        memory.settle()
        _wait()


def _greeting(tenant: Sandbox) -> str:
    key, secret = tenant.api_client()
    facts = [("address", tenant.url), ("user", tenant.username), ("password", tenant.password), ("folder", tenant.root)]
    login = {"api_server": tenant.url, "username": tenant.username, "password": tenant.password}
    login |= {"api_key": key, "api_secret": secret, **({"verify": tenant.ca_file} if tenant.ca_file else {})}
    arguments = ", ".join(f"{name}={value!r}" for name, value in login.items())
    lines = [f"{name + ':':<10}{value}" for name, value in facts]
    lines += ["", "Connect from Python:", ""]
    lines += ["from agavepy.agave import Agave", f"ag = Agave({arguments})", "print(ag.profiles.get().username)"]
    return "\n".join([*lines, "", "Ctrl-C ends it."])


def _wait() -> None:
    """Return never: a signal ends it."""
    while True:
        memory.give_back()
        time.sleep(_PAUSE_S)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # a second Ctrl-C must not cut the clearing up short
    raise KeyboardInterrupt


def _reason(error: Exception, port: int) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"port {port} is in use; choose another with --port, or none to get a free one"
    return " ".join(str(error).split())


def _folder(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; name a folder, or leave --root out for a temporary one")
    return text


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


def _seconds(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds: 1 or more")
    return int(text)


def _smtp(text: str) -> str:
    try:
        server_of(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem
    return text


def _user(text: str) -> tuple[str, str]:
    name, colon, password = text.partition(":")
    if not (name and colon and password):
        raise argparse.ArgumentTypeError("give the user as NAME:PASSWORD")
    return name, password


def _image(text: str) -> tuple[str, str]:
    name, _, command = text.partition("=")
    try:
        Images({name: command})
    except ValueError as problem:
        raise argparse.ArgumentTypeError(f"give the image as NAME=COMMAND. {problem}") from None
    return name, command
