"""Files up and down and their listings, over TLS on loopback, beside curl and plain requests doing the same."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import requests

from agavepy.agave import Agave

from . import load
from .load import SYSTEM, USER
from .measure import ratio

HOME = f"{SYSTEM}/{USER}"
GIBIBYTE = 1 << 30
SMALL_FILES, SMALL_BYTES = 1000, 10_000
ENTRIES = 100_000

# What a transfer adds to the memory of a process that has made a small one before.
_MEMORY = """
import sys
from pathlib import Path
from agavepy.agave import Agave
def peak_kb():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
url, ca_file, token, way, small, large, remote, target = sys.argv[1:]
ag = Agave(api_server=url, token=token, verify=ca_file)
def move(path, address):
    ag.files_upload(path, address, progress=False)
    if way == "down":
        ag.files_download(address, target, progress=False)
move(small, remote + "-small")
if way == "down":
    before = peak_kb()
    ag.files_download(remote, target, progress=False)
else:
    before = peak_kb()
    ag.files_upload(large, remote, progress=False)
print((peak_kb() - before) / 1000)
"""


class Tenant(NamedTuple):
    """A tenant in a process of its own, and a client of it."""

    url: str
    ca_file: str
    ag: Agave
    root: Path
    folder: Path  # for files of this side

    def media(self, path: str) -> str:
        return f"{self.url}/files/v2/media/system/{SYSTEM}/{USER}/{path}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.ag.token}"}

    @property
    def home(self) -> Path:
        return self.root / "systems" / SYSTEM / "home" / USER


@contextlib.contextmanager
def tenant() -> Iterator[Tenant]:
    """Run a tenant for as long as the block lasts."""
    with load.tenant() as running, tempfile.TemporaryDirectory() as folder:
        yield Tenant(running.ag.api_server, running.ca_file, running.ag, running.root, Path(folder))


def large_files(to: Tenant) -> tuple[float, float]:
    """Return the time of 1 GiB up and down over curl's."""
    source = to.folder / "large"
    with source.open("wb") as file:
        for _ in range(GIBIBYTE >> 20):
            file.write(os.urandom(1 << 20))
    up = ratio(
        lambda: to.ag.files_upload(source, f"{HOME}/large", progress=False),
        lambda: _curl(to, "-F", f"fileToUpload=@{source}", to.media("")),
        rounds=4,
    )
    down = ratio(
        lambda: to.ag.files_download(f"{HOME}/large", to.folder / "large", progress=False),
        lambda: _curl(to, "-o", str(to.folder / "large"), to.media("large")),
        rounds=4,
        before=(to.folder / "large").unlink,  # so that both write a fresh file
    )
    (to.folder / "large").unlink()
    return up, down


def _curl(to: Tenant, *arguments: str) -> None:
    # The header in a file: arguments are for every process of the machine to see.
    header = to.folder / "header"
    header.write_text("".join(f"{name}: {value}\n" for name, value in to.headers.items()))
    command = ["curl", "--silent", "--show-error", "--fail", "--cacert", to.ca_file, "-H", f"@{header}", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def has_curl() -> bool:
    """Tell whether there is something to compare large files with."""
    return shutil.which("curl") is not None


def extra_memory_mb(to: Tenant, *, size_bytes: int) -> tuple[float, float]:
    """Return megabytes that an upload and a download of so many bytes add to the process."""
    small, large = to.folder / "small", to.folder / "sparse"
    small.write_bytes(bytes(1000))
    with large.open("wb") as file:
        file.truncate(size_bytes)
    up, down = (_memory_of(to, way, small, large) for way in ("up", "down"))
    for path in (small, large, to.folder / "target"):
        path.unlink(missing_ok=True)
    to.ag.files_delete(f"{HOME}/sparse")
    return up, down


def _memory_of(to: Tenant, way: str, small: Path, large: Path) -> float:
    arguments = [to.url, to.ca_file, str(to.ag.token), way, str(small), str(large), f"{HOME}/sparse"]
    command = [sys.executable, "-c", _MEMORY, *arguments, str(to.folder / "target")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def small_files(to: Tenant) -> tuple[float, float]:
    """
    Return the time of a folder of small files, up and down, over that of one plain request after the other.

    Every round has a folder of its own: names that come anew are what a transfer is about, and a file system that
    was just rid of a thousand files takes its time for the next thousand.
    """
    folder = to.folder / "many"
    folder.mkdir()
    for number in range(SMALL_FILES):
        (folder / f"{number}").write_bytes(os.urandom(SMALL_BYTES))
    numbers = itertools.count()
    up = ratio(
        lambda: to.ag.files_upload(folder, f"{HOME}/up-{next(numbers)}", progress=False),
        lambda: _post_each(to, folder, f"up-{next(numbers)}"),
        rounds=3,
    )
    down = ratio(
        lambda: to.ag.files_download(f"{HOME}/up-0", to.folder / f"down-{next(numbers)}", progress=False),
        lambda: _get_each(to, folder, "up-0", to.folder / f"down-{next(numbers)}"),
        rounds=3,
    )
    return up, down


def _post_each(to: Tenant, folder: Path, there: str) -> None:
    to.ag.files_mkdir(f"{HOME}/{there}")
    for path in folder.iterdir():
        with path.open("rb") as file:
            answer = requests.post(
                to.media(there), files={"fileToUpload": file}, headers=to.headers, verify=to.ca_file, timeout=60
            )
        answer.raise_for_status()


def _get_each(to: Tenant, folder: Path, there: str, here: Path) -> None:
    here.mkdir()
    for path in folder.iterdir():
        answer = requests.get(to.media(f"{there}/{path.name}"), headers=to.headers, verify=to.ca_file, timeout=60)
        answer.raise_for_status()
        (here / path.name).write_bytes(answer.content)


def listing(to: Tenant) -> float:
    """Return the time ``files_list`` takes for very many entries over that of plain requests, page by page."""
    folder = to.home / "entries"
    folder.mkdir(parents=True)
    for number in range(ENTRIES):
        (folder / f"file-{number:06}.txt").touch()

    def ours() -> None:
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            assert len(to.ag.files_list(f"{HOME}/entries")) == ENTRIES + 1
        assert len(re.findall("file-", shown.getvalue())) == ENTRIES

    def theirs() -> None:
        assert len(_pages(to)) == ENTRIES + 1

    return ratio(ours, theirs, rounds=2)


def _pages(to: Tenant) -> list[Any]:
    found: list[Any] = []
    with requests.Session() as session:
        while True:
            answer = session.get(
                f"{to.url}/files/v2/listings/system/{SYSTEM}/{USER}/entries",
                params={"limit": 250, "offset": len(found)},
                headers=to.headers,
                verify=to.ca_file,
                timeout=60,
            )
            page = answer.json()["result"]
            found += page
            if len(page) < 250:
                return found
