"""What is worked out once, until a document changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agavepy.sandbox.remembered import Remembered
from agavepy.sandbox.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.sqlite")
    opened.put("user", "ada", {"n": 1}, updated=1)
    yield opened
    opened.close()


class Reader:
    """Reads users, and counts how often."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.count = 0
        self.users = Remembered(store, ("user",), self.read)

    def read(self, key: str) -> int | None:
        self.count += 1
        found = self.store.get("user", key)
        return found["n"] if found else None


def test_an_answer_is_worked_out_once(store: Store) -> None:
    reader = Reader(store)
    assert [reader.users.get("ada") for _ in range(3)] == [1, 1, 1]
    assert reader.count == 1


def test_a_write_to_another_kind_changes_nothing(store: Store) -> None:
    reader = Reader(store)
    reader.users.get("ada")
    store.put("job", "ada", {}, updated=1)
    reader.users.get("ada")
    assert reader.count == 1


def test_a_write_is_seen_at_once(store: Store) -> None:
    reader = Reader(store)
    reader.users.get("ada")
    store.put("user", "ada", {"n": 2}, updated=2)
    assert reader.users.get("ada") == 2
    store.delete("user", "ada")
    assert reader.users.get("ada") is None


def test_what_is_unknown_is_looked_for_each_time(store: Store) -> None:
    reader = Reader(store)
    assert [reader.users.get("bob"), reader.users.get("bob")] == [None, None]
    assert reader.count == 2


def test_a_transaction_sees_its_own_writes_and_others_do_not(store: Store) -> None:
    reader = Reader(store)
    reader.users.get("ada")
    others: list[int | None] = []
    with store.transaction():
        store.put("user", "ada", {"n": 2}, updated=2)
        assert reader.users.get("ada") == 2
        other = threading.Thread(target=lambda: others.append(reader.users.get("ada")))
        other.start()
        other.join()
    assert others == [1]
    assert reader.users.get("ada") == 2


def test_a_transaction_that_writes_other_kinds_shares_the_answers(store: Store) -> None:
    reader = Reader(store)
    reader.users.get("ada")
    with store.transaction():
        store.put("job", "ada", {}, updated=1)
        assert reader.users.get("ada") == 1
    assert reader.count == 1


def test_what_a_failed_transaction_wrote_is_not_remembered(store: Store) -> None:
    reader = Reader(store)

    def fail() -> None:
        with store.transaction():
            store.put("user", "ada", {"n": 2}, updated=2)
            reader.users.get("ada")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert reader.users.get("ada") == 1


def test_an_answer_that_is_old_when_it_is_kept_is_not_given_again(store: Store) -> None:
    def read_slowly(key: str) -> int | None:
        answer = reader.read(key)
        if reader.count == 1:
            store.put("user", "ada", {"n": 2}, updated=2)  # between reading and keeping
        return answer

    reader = Reader(store)
    users = Remembered(store, ("user",), read_slowly)
    assert users.get("ada") == 1
    assert users.get("ada") == 2
