"""Records: dicts with attributes."""

from __future__ import annotations

import copy
import datetime
import json
import pickle

import pytest

from agavepy.records import AttrDict, declare, to_json, wrap

MOMENT = datetime.datetime(2018, 9, 11, 11, 38, 34, tzinfo=datetime.timezone.utc)


@pytest.fixture
def record() -> AttrDict:
    return wrap({"id": "a", "storage": {"port": 22, "hosts": [{"name": "x"}]}, "items": 1})


def test_fields_are_attributes_and_items_at_any_depth(record: AttrDict) -> None:
    assert record.storage.hosts[0].name == record["storage"]["hosts"][0]["name"] == "x"


def test_a_field_named_like_a_method_of_dict_is_an_item_only(record: AttrDict) -> None:
    assert record["items"] == 1
    assert callable(record.items)


def test_attributes_are_set_and_deleted_like_items(record: AttrDict) -> None:
    record.id = "b"
    assert record["id"] == "b"
    del record.id
    assert "id" not in record


@pytest.mark.parametrize("kind", [AttributeError, KeyError])
def test_a_missing_field_is_both_errors_and_says_which_fields_there_are(
    record: AttrDict, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=r"no field 'nane'; fields: id, storage, items"):
        record.nane
    with pytest.raises(kind, match="no field 'nane'"):
        record["nane"]
    with pytest.raises(kind):
        del record.nane


def test_hasattr_and_getattr_with_a_default_work(record: AttrDict) -> None:
    assert not hasattr(record, "nothing")
    assert getattr(record, "nothing", 3) == 3


def test_records_survive_copies_and_pickles(record: AttrDict) -> None:
    for twin in (copy.copy(record), copy.deepcopy(record), record.copy(), pickle.loads(pickle.dumps(record))):
        assert twin == record
        assert type(twin) is AttrDict
        assert twin.storage.port == 22


def test_a_record_is_a_dict(record: AttrDict) -> None:
    assert isinstance(record, dict)
    assert dict(record)["id"] == "a"
    assert {**record}["id"] == "a"


def test_to_json_writes_dates_in_iso_8601() -> None:
    record = AttrDict(created=MOMENT, tags=[AttrDict(seen=MOMENT)])
    assert json.loads(record.to_json()) == {
        "created": "2018-09-11T11:38:34+00:00",
        "tags": [{"seen": "2018-09-11T11:38:34+00:00"}],
    }
    assert to_json([record], indent=1).startswith("[\n")


def test_to_json_refuses_what_is_not_json() -> None:
    with pytest.raises(TypeError, match="object is not JSON"):
        AttrDict(thing=object()).to_json()


def test_completion_offers_the_fields(record: AttrDict) -> None:
    assert {"id", "storage"} <= set(dir(record))


def test_declared_fields_behave_like_all_others() -> None:
    declare(["declared", "items", "class"])
    with_it, without = AttrDict(declared=1, items=2), AttrDict()
    assert (with_it.declared, with_it["declared"]) == (1, 1)
    with_it.declared = 3
    assert with_it == {"declared": 3, "items": 2}
    assert callable(with_it.items)
    assert not hasattr(without, "declared")
    assert "declared" not in dir(without)
    with pytest.raises(KeyError, match="no field 'declared'; fields: none"):
        without.declared
    assert type(copy.deepcopy(with_it)) is type(pickle.loads(pickle.dumps(with_it))) is AttrDict
