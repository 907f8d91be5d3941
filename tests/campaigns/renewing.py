"""A process of :mod:`test_killed`: restores a session, says "ready", then renews and saves it until it is killed."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from agavepy.agave import Agave


def main(folder: str, dies: str) -> None:
    """
    Renew and save in a loop.

    :param dies: "never"; "told": as soon as it is told of a new token; or a number: with that call of the system, of
        those that change files, counted from the first save on.
    """
    ag = Agave(token_callback=die if dies == "told" else None)
    ag.load_configs(folder)
    print("ready", flush=True)
    if dies.isdigit():
        die_at(int(dies))
    while True:
        if not dies.isdigit():
            ag.refresh()
        ag.save_configs(folder)


def die(**unused: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(number: int) -> None:
    """Be killed in the place of one call of the system; a write that is hit has written half."""
    left = [number]

    def counted(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **keywords: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                if name == "write":
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                die()
            return real(*arguments, **keywords)

        setattr(os, name, call)

    for name in ("open", "write", "fsync", "ftruncate", "replace", "close", "unlink"):
        counted(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
