"""The form in which a person submits a job of an app: its fields are those that jobs.submit takes as a form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from .app_description import Item, defaults

App = Mapping[str, Any]

_TEXT, _NUMBER = 'type="text"', 'type="number" step="any"'


def html(app: App, *, action: str) -> str:
    """Return the form as HTML text.

    :param action: where it is sent to, the address of jobs.submit.
    """
    items = sorted(_visible(app), key=lambda item: item["value"]["order"])
    fields = "\n".join(_field(item) for item in items)
    return f"""<form method="post" action="{escape(action)}">
<h1>{escape(app["label"] or app["id"])}</h1>
<p>{escape(app["shortDescription"] or "")}</p>
<input type="hidden" name="appId" value="{escape(app["id"])}">
<label>Name of the job <input name="name" maxlength="64" required></label>
{fields}
<button>Submit</button>
</form>
"""


def _visible(app: App) -> Iterable[Item]:
    return (item for item in (*app["inputs"], *app["parameters"]) if item["value"]["visible"])


def _field(item: Item) -> str:
    details = item["details"]
    label = escape(details["label"] or item["id"])
    hint = f" <small>{escape(details['description'])}</small>" if details["description"] else ""
    return f"<label>{label}{hint} {_control(item)}</label>"


def _control(item: Item) -> str:
    required = " required" if item["value"]["required"] else ""
    name = f'name="{escape(item["id"])}"{required}'
    choices = _choices(item)
    if choices:
        options = "".join(_option(value, label, item) for value, label in choices)
        return f"<select {name}{' multiple' if _takes_several(item) else ''}>{options}</select>"
    # Several values are separated by semicolons, as jobs.submit reads them; no field for numbers takes these.
    kind = _NUMBER if item["value"].get("type") == "number" and not _takes_several(item) else _TEXT
    value = ";".join(map(str, defaults(item)))
    return f'<input {name} {kind} value="{escape(value)}">'


def _choices(item: Item) -> list[tuple[str, str]]:
    """Return value and label of each choice; none for an item of free text."""
    if item["value"].get("type") in ("bool", "flag"):
        return [("true", "yes"), ("false", "no")]
    pairs = [pair for choice in item["value"].get("enum_values", ()) for pair in choice.items()]
    return pairs if item["value"]["required"] or not pairs else [("", ""), *pairs]


def _option(value: str, label: str, item: Item) -> str:
    chosen = [str(each).lower() if isinstance(each, bool) else str(each) for each in defaults(item)]
    selected = " selected" if value in chosen else ""
    return f'<option value="{escape(value)}"{selected}>{escape(label)}</option>'


def _takes_several(item: Item) -> bool:
    return bool(item["semantics"]["maxCardinality"] != 1)
