"""What an app description must say: read once, checked field by field, gaps filled in.

:func:`read` takes the body of apps.add and apps.update; whether the systems and files it names exist is for the
service to say.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..api import BadRequest
from ..fields import Fields, shown, truth
from ..patterns import BadPattern, Question, TooCostly, answers

MOST_ITEMS = 1000  # inputs, parameters or outputs of one app: each is checked, and pasted into every script
_TYPES = ("STRING", "NUMBER", "BOOL", "ENUMERATION", "FLAG")
Item = dict[str, Any]


def read(body: Any) -> dict[str, Any]:
    """
    Return the fields of an app as they are kept, in the order replies show them; systems and paths unchecked.

    :raises BadRequest: a field is missing or breaks its rule; the message names it.
    """
    fields = Fields(body, within="app")
    app: dict[str, Any] = {
        "name": _name(fields),
        "icon": _address(fields, "icon"),
        "parallelism": fields.choice("parallelism", ("SERIAL", "PARALLEL", "PTHREAD")),
        "defaultProcessorsPerNode": fields.whole("defaultProcessorsPerNode", default=1),
        "defaultMemoryPerNode": fields.gigabytes("defaultMemoryPerNode", default=1.0),
        "defaultNodeCount": fields.whole("defaultNodeCount", default=1),
        "defaultMaxRunTime": fields.duration("defaultMaxRunTime"),
        "defaultQueue": fields.free_text("defaultQueue") or None,
        "version": _version(fields),
        "helpURI": _address(fields, "helpURI"),
        "label": fields.free_text("label"),
        "shortDescription": fields.free_text("shortDescription"),
        "longDescription": fields.free_text("longDescription"),
        "tags": fields.texts("tags"),
        "ontology": fields.texts("ontology"),
        "executionType": fields.choice("executionType", ("HPC", "CLI", "CONDOR")),
        "executionSystem": fields.text("executionSystem"),
        "deploymentPath": fields.text("deploymentPath", longest=4096),
        "deploymentSystem": fields.free_text("deploymentSystem") or None,
        "templatePath": _path_within(fields, "templatePath"),
        "testPath": _path_within(fields, "testPath"),
        "checkpointable": fields.flag("checkpointable", default=False),
        "modules": fields.texts("modules"),
        "available": fields.flag("available", default=True),
        "inputs": [_input(entry) for entry in _items(fields, "inputs")],
        "parameters": [_parameter(entry) for entry in _items(fields, "parameters")],
        "outputs": [_output(entry) for entry in _items(fields, "outputs")],
    }
    _check_ids(app)
    items = [item for kind in ("inputs", "parameters") for item in app[kind]]
    check_rules((item, defaults(item)) for item in items)
    return app


def check_name(value: str) -> str:
    """Return a name an app may have; :raises BadRequest: otherwise."""
    if not re.fullmatch(r"[0-9a-zA-Z.\-_()]{1,64}", value):
        raise BadRequest(
            "Invalid 'app.name' value. It has at most 64 letters, digits, dots, dashes, underscores and parentheses; "
            f"got {shown(value)}."
        )
    return value


def check_version(value: str) -> str:
    """Return a version an app may have; :raises BadRequest: otherwise."""
    if len(value) > 16 or not re.fullmatch(r"[0-9]+(\.[0-9]+)*", value):
        raise BadRequest("Invalid 'app.version' value. Please provide a version in x.x.x format")
    return value


def _name(fields: Fields) -> str:
    return check_name(fields.text("name", longest=64))


def _version(fields: Fields) -> str:
    value = fields.get("version")
    return check_version(value if isinstance(value, str) else "")


def _address(fields: Fields, name: str) -> str | None:
    value = fields.free_text(name)
    if value and not urllib.parse.urlsplit(value).scheme:
        raise fields.refusal(name, f"It is a valid URL or empty; got {shown(value)}.")
    return value or None


def _path_within(fields: Fields, name: str) -> str:
    """Return a path below the deploymentPath."""
    value = fields.text(name, longest=4096)
    if ".." in value.split("/"):
        raise fields.refusal(name, f"It lies in the deploymentPath, without '..'; got {shown(value)}.")
    return value


def _check_ids(app: dict[str, Any]) -> None:
    """Refuse two items with one id: a template knows them by id alone, without regard to case."""
    for kinds in (("inputs", "parameters"), ("outputs",)):
        seen: set[str] = set()
        for name in (item["id"].lower() for kind in kinds for item in app[kind]):
            if name in seen:
                raise BadRequest(f"Invalid 'app.{kinds[0]}' value. The id {name!r} is there twice.")
            seen.add(name)


# Items


def _items(fields: Fields, name: str) -> list[Fields]:
    given = fields.get(name)
    if isinstance(given, list) and len(given) > MOST_ITEMS:
        raise fields.refusal(name, f"It has at most {MOST_ITEMS} entries; got {len(given)}.")
    return fields.objects(name)


def _input(fields: Fields) -> Item:
    value = fields.object("value")
    required = _required(value)
    item = {
        "id": fields.text("id", longest=64),
        "value": {"validator": value.free_text("validator"), **required, **_layout(value)},
        "details": _details(fields.object("details")),
        "semantics": {**_semantics(fields, required), "fileTypes": fields.object("semantics").texts("fileTypes")},
    }
    return _with_default(item, value, read_one=_address_value)


def _parameter(fields: Fields) -> Item:
    value = fields.object("value")
    required = _required(value)
    kind = value.choice("type", _TYPES).lower()
    item = {
        "id": fields.text("id", longest=64),
        "value": {**required, "type": kind, **_layout(value), **_rule(value, kind)},
        "details": _details(fields.object("details")),
        "semantics": _semantics(fields, required),
    }
    return _with_default(item, value, read_one=typed)


def _output(fields: Fields) -> Item:
    value, details = fields.object("value"), fields.object("details")
    semantics = {**_semantics(fields, {}), "fileTypes": fields.object("semantics").texts("fileTypes")}
    return {
        "id": fields.text("id", longest=64),
        "value": {
            "validator": value.free_text("validator"),
            "order": value.whole("order", default=0, least=0),
            "default": value.get("default"),
        },
        "details": {name: details.free_text(name) for name in ("label", "description")},
        "semantics": semantics,
    }


def _required(value: Fields) -> dict[str, bool]:
    visible = value.flag("visible", default=True)
    return {"visible": visible, "required": value.flag("required", default=not visible)}


def _layout(value: Fields) -> dict[str, Any]:
    return {
        "order": value.whole("order", default=0, least=-(2**31)),
        "enquote": value.flag("enquote", default=False),
        "default": None,
    }


def _rule(value: Fields, kind: str) -> dict[str, Any]:
    if kind != "enumeration":
        return {"validator": value.free_text("validator")}
    if value.get("validator"):
        raise value.refusal("validator", "An enumeration has no validator: its values are the rule.")
    return {"enum_values": _choices(value)}


def _choices(value: Fields) -> list[dict[str, str]]:
    given = value.get("enum_values") or value.get("enumValues")
    if not isinstance(given, list) or not given:
        raise value.refusal("enum_values", "An enumeration needs an array of its values.")
    return [_choice(value, entry) for entry in given]


def _choice(value: Fields, entry: Any) -> dict[str, str]:
    """Return value → label; a plain text is its own label."""
    if isinstance(entry, str):
        return {entry: entry}
    if not isinstance(entry, dict) or len(entry) != 1 or not all(isinstance(label, str) for label in entry.values()):
        raise value.refusal("enum_values", f"Each is a text, or an object of one value and its label; got {entry!r}.")
    return entry


def _details(fields: Fields) -> dict[str, Any]:
    return {
        "label": fields.free_text("label"),
        "description": fields.free_text("description"),
        "argument": fields.free_text("argument"),
        "showArgument": fields.flag("showArgument", default=False),
        "repeatArgument": fields.flag("repeatArgument", default=False),
    }


def _semantics(fields: Fields, required: dict[str, bool]) -> dict[str, Any]:
    semantics = fields.object("semantics")
    must = required.get("required", True) or not required.get("visible", True)
    fewest = semantics.whole("minCardinality", default=int(must), least=0)
    most = semantics.whole("maxCardinality", default=max(1, fewest), least=-1)
    if most == 0 or -1 < most < fewest:
        raise semantics.refusal("maxCardinality", f"It is -1 for any number, or at least {max(1, fewest)}; got {most}.")
    return {"minCardinality": fewest, "maxCardinality": most, "ontology": semantics.texts("ontology")}


# Values


def _with_default(item: Item, value: Fields, *, read_one: Callable[[Any, Item], Any]) -> Item:
    given = value.get("default")
    values = [] if given is None else [read_one(one, item) for one in (given if isinstance(given, list) else [given])]
    if not item["value"]["visible"] and not values:
        raise value.refusal("default", f"{item['id']} is not visible and needs a default.")
    # Fewer defaults than minCardinality pass: servers differ, and guides show required items without any.
    check_count(item, values, fewest=0)
    item["value"]["default"] = (values or [None])[0] if item["semantics"]["maxCardinality"] == 1 else values or None
    return item


def defaults(item: Item) -> list[Any]:
    """Return the default values of an input or parameter as a list."""
    value = item["value"]["default"]
    return value if isinstance(value, list) else [] if value is None else [value]


def check_count(item: Item, values: list[Any], *, fewest: int | None = None) -> None:
    """Refuse more or fewer values than the item's cardinality allows."""
    semantics = item["semantics"]
    least = semantics["minCardinality"] if fewest is None else fewest
    if len(values) < least:
        raise BadRequest(f"{item['id']} requires at least {least} values")
    if -1 < semantics["maxCardinality"] < len(values):
        raise BadRequest(f"{item['id']} may have at most {semantics['maxCardinality']} values")


def check_rules(given: Iterable[tuple[Item, Sequence[Any]]]) -> None:
    """
    Refuse values that the validator of their item does not match; an empty text, as a default, is no value yet.

    All together: each might have to be tried in a process of its own.
    """
    ruled = [(item, [str(value) for value in values if value != ""]) for item, values in given]
    ruled = [(item, texts) for item, texts in ruled if item["value"].get("validator")]
    questions = [Question(_in_python(item["value"]["validator"]), texts) for item, texts in ruled]
    try:
        answered = answers(questions)
    except TooCostly as problem:
        names = ", ".join(item["id"] for item, _ in ruled)
        raise BadRequest(f"The validators of {names} are too costly to try: {problem}.") from None
    for (item, _), answer in zip(ruled, answered, strict=True):
        _refuse_unmatched(item, answer)


def _refuse_unmatched(item: Item, answer: list[bool] | BadPattern) -> None:
    pattern = item["value"]["validator"]
    if isinstance(answer, BadPattern):
        raise BadRequest(
            f"Invalid validator for {item['id']}. It is no regular expression to try: {answer}: {shown(pattern)}"
        )
    if not all(answer):
        raise BadRequest(f"Invalid value for {item['id']}. Value must match the following expression: {pattern}")


def _in_python(pattern: str) -> str:
    # Java takes flags such as (?i) anywhere in a pattern, Python only in front.
    flags = "".join(sorted(set("".join(re.findall(r"\(\?([imsx]+)\)", pattern)))))
    bare = re.sub(r"\(\?[imsx]+\)", "", pattern)
    return f"(?{flags}){bare}" if flags else bare


def typed(value: Any, item: Item) -> Any:
    """
    Return a parameter's value in the JSON type of its kind: bool, int or float, or str.

    :raises BadRequest: it is of another kind, or none of an enumeration's choices.
    """
    kind = item["value"]["type"]
    read_one = {"bool": _bool, "flag": _bool, "number": _number, "enumeration": _chosen}.get(kind, _plain)
    return read_one(value, item)


def _plain(value: Any, item: Item) -> str:
    if isinstance(value, dict | list):
        raise BadRequest(f"Invalid value for {item['id']}. It is a text; got {shown(value)}.")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _address_value(value: Any, item: Item) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"Invalid value for {item['id']}. A default is an address or path; got {shown(value)}.")
    return value


def _bool(value: Any, item: Item) -> bool:
    found = truth(value)
    if found is None:
        raise BadRequest(f"Invalid value for {item['id']}. It is true or false; got {shown(value)}.")
    return found


def _number(value: Any, item: Item) -> float:
    text = "" if isinstance(value, bool) else str(value).strip()
    if re.fullmatch(r"[+-]?[0-9]{1,300}", text):
        return int(text)
    if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?", text):
        return float(text)
    raise BadRequest(f"Invalid value for {item['id']}. It is a number; got {shown(value)}.")


def _chosen(value: Any, item: Item) -> str:
    choices = [choice for pair in item["value"]["enum_values"] for choice in pair]
    if value not in choices:
        raise BadRequest(f"Invalid value for {item['id']}. Value must be one of: {', '.join(choices)}")
    return str(value)
