"""The ``agavepy`` command."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from typing import Any

from . import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code. A failure is one line on stderr and code 1."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["sandbox"]:
        return _sandbox(arguments[1:])
    parsed = _parser().parse_args(arguments)
    return _demo(parsed.file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agavepy", description="Work with an Agave tenant, or run one.")
    parser.add_argument("--version", action="version", version=f"agavepy {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="run the main job from end to end on a tenant of its own")
    demo.add_argument("file", nargs="?", metavar="FILE", help="the file whose lines and words are counted")
    commands.add_parser("sandbox", help="run a whole tenant on this machine (see agavepy sandbox --help)")
    return parser


def _sandbox(arguments: Sequence[str]) -> int:
    try:
        from .sandbox import command
    except ImportError as error:
        return _fail(error)
    return command.main(arguments)


def _demo(file: str | None) -> int:
    import requests

    from . import demo
    from .errors import AgavepyError

    signal.signal(signal.SIGTERM, _interrupt)
    logging.getLogger("agavepy").addHandler(logging.NullHandler())
    try:
        demo.run(file)
    except (AgavepyError, requests.exceptions.RequestException, OSError, ImportError) as error:
        return _fail(error)
    except KeyboardInterrupt:
        return _fail("interrupted")
    return 0


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _fail(error: BaseException | str) -> int:
    print(f"agavepy: {' '.join(str(error).split())}", file=sys.stderr)
    return 1
