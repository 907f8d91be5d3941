"""Lists of any length, page by page: the next page is on its way while the present one is used."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from .errors import AgaveError

LARGEST_PAGE = 250  # servers give no more records at once, whatever is asked for

Ask = Callable[[int, int], Any]  # limit, offset → the records of one page


def records(
    ask: Ask, *, name: str, page_size: int = LARGEST_PAGE, limit: int | None = None, offset: int = 0
) -> Iterator[Any]:
    """
    Yield the records of all pages, each once asked for.

    :param ask: called with a limit and an offset.
    :param name: of the operation, for messages.
    :param limit: most records to yield; None: all.
    :raises TypeError: a number that is none, or too small.
    :raises AgaveError: the server answers with something else than a list, or with the same page again and again.
    """
    _check(name, page_size=page_size, offset=offset, limit=limit)
    return _records(_Pages(ask, name, page_size), offset, limit)


def _records(pages: _Pages, offset: int, left: int | None) -> Iterator[Any]:
    page = pages.page(offset, left)
    with pages.ahead() as ask_ahead:
        while page:
            offset, left = offset + len(page), None if left is None else left - len(page)
            following = None if pages.is_last(page, left) else ask_ahead(offset, left)
            yield from page
            if following is None:
                return
            page = pages.other_than(page, following.result(), offset)


class _Pages:
    """Pages of one list."""

    def __init__(self, ask: Ask, name: str, page_size: int) -> None:
        self._ask, self._name, self._size = ask, name, page_size

    def page(self, offset: int, left: int | None) -> list[Any]:
        size = self._size if left is None else min(self._size, left)
        found = self._ask(size, offset) if size else []
        if found is None:
            return []
        if not isinstance(found, list):
            raise AgaveError(f"{self._name} answered with {type(found).__name__} where a list of records was expected.")
        return found if left is None else found[:left]

    def is_last(self, page: list[Any], left: int | None) -> bool:
        """Tell whether no page follows: this one is short, though not by the server's own limit."""
        if left == 0:
            return True
        if len(page) > self._size:  # the server knows no pages: this was all
            return True
        return len(page) < min(self._size, LARGEST_PAGE)

    @contextlib.contextmanager
    def ahead(self) -> Iterator[Callable[[int, int | None], concurrent.futures.Future[list[Any]]]]:
        """Give a function that asks for a page in the background."""
        worker: concurrent.futures.ThreadPoolExecutor | None = None

        def ask(offset: int, left: int | None) -> concurrent.futures.Future[list[Any]]:
            nonlocal worker
            worker = worker or concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="agavepy-page")
            return worker.submit(self.page, offset, left)

        try:
            yield ask
        finally:
            if worker is not None:
                worker.shutdown(wait=False, cancel_futures=True)  # who stops early waits for nothing

    def other_than(self, page: list[Any], following: list[Any], offset: int) -> list[Any]:
        if following and following == page:
            raise AgaveError(f"{self._name} answers with the same page whatever offset is asked for, last {offset}.")
        return following


def _check(name: str, *, page_size: int, offset: int, limit: int | None) -> None:
    lowest = {"page_size": (page_size, 1), "offset": (offset, 0), "limit": (0 if limit is None else limit, 0)}
    for word, (number, least) in lowest.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise TypeError(f"{name}: {word}={number!r}: a whole number, {least} or more.")
