"""What the tenant remembers."""

from __future__ import annotations

import contextlib
import gc
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agavepy.sandbox.store import Store, new_uuid


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.sqlite")
    yield opened
    opened.close()


def test_documents_are_kept_by_kind_and_key(store: Store) -> None:
    store.put("app", "x", {"n": 1}, updated=1)
    store.put("app", "x", {"n": 2}, updated=2)
    assert store.get("app", "x") == {"n": 2}
    assert store.get("job", "x") is None
    assert store.delete("app", "x")
    assert not store.delete("app", "x")


def test_documents_come_latest_first(store: Store) -> None:
    for key, updated in (("a", 1), ("b", 3), ("c", 2)):
        store.put("app", key, {"key": key}, updated=updated)
    assert [each["key"] for each in store.all("app")] == ["b", "c", "a"]


def test_documents_are_found_by_their_uuid_and_kind(store: Store) -> None:
    store.put("app", "x", {"uuid": "1-005"}, updated=1)
    store.put("file", "s/x", {"uuid": "1-002"}, updated=1)
    store.put("file", "s/y", {"name": "without"}, updated=1)
    assert store.by_uuid("app", "1-005") == ("x", {"uuid": "1-005"})
    assert store.by_uuid("app", "1-002") is None
    assert store.by_uuid("file", "2-002") is None
    assert store.count_below("file", "s") == 2
    assert store.count_below("app", "x") == 0


def test_finding_by_uuid_reads_an_index(store: Store, tmp_path: Path) -> None:
    query = "SELECT key FROM documents WHERE json_extract(body, '$.uuid')=? AND kind=?"
    with contextlib.closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection:
        plan = str(connection.execute(f"EXPLAIN QUERY PLAN {query}", ("a", "b")).fetchall())
    assert "documents_uuid" in plan


def test_histories_are_in_order(store: Store) -> None:
    for status in ("CREATED", "UPDATED"):
        store.add_event("x", status, "…", created=1.5, created_by="ada")
    assert [each["status"] for each in store.events("x")] == ["CREATED", "UPDATED"]
    assert store.events("x")[0] == {"status": "CREATED", "description": "…", "created": 1.5, "created_by": "ada"}


def test_granting_none_takes_a_grant_away(store: Store) -> None:
    store.grant("x", "bob", "READ")
    store.grant("x", "ada", "ALL")
    store.grant("x", "bob", "NONE")
    assert store.grants("x") == {"ada": "ALL"}
    store.revoke_all("x")
    assert store.grants("x") == {}


def test_a_transaction_that_fails_changes_nothing(store: Store) -> None:
    def fail_inside() -> None:
        with store.transaction():
            store.put("app", "x", {}, updated=1)
            with store.transaction():
                store.put("app", "y", {}, updated=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert list(store.all("app")) == []
    store.put("app", "x", {}, updated=1)
    assert store.get("app", "x") == {}


def test_read_modify_write_in_many_threads_loses_nothing(store: Store) -> None:
    store.put("n", "n", {"n": 0}, updated=0)

    def add_one(_: int) -> None:
        with store.transaction():
            count = store.get("n", "n") or {}
            store.put("n", "n", {"n": count["n"] + 1}, updated=0)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(200)))
    assert store.get("n", "n") == {"n": 200}


def test_a_thread_that_ends_gives_its_connection_back(store: Store) -> None:
    for _ in range(20):
        thread = threading.Thread(target=store.get, args=("app", "x"))
        thread.start()
        thread.join()
    gc.collect()
    assert len(store._all) == 1


def test_what_was_written_is_there_when_opened_again(tmp_path: Path) -> None:
    first = Store(tmp_path / "kept.sqlite")
    first.put("app", "x", {"é": ["ü"]}, updated=1)
    first.close()
    second = Store(tmp_path / "kept.sqlite")
    assert second.get("app", "x") == {"é": ["ü"]}
    second.close()


def test_uuids_name_their_type_and_differ() -> None:
    made = {new_uuid("007") for _ in range(1000)}
    assert len(made) == 1000
    assert all(each.endswith("-0001-007") for each in made)
