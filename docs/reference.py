"""Writes the operations reference, a page a service, from the documents under ``resources/``, whenever Sphinx runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agavepy import specs
from agavepy.signatures import fields, signature
from agavepy.specs import Document, OperationSpec, Parameter

FOLDER = "operations"


def setup(app: Any) -> dict[str, Any]:
    """Tell Sphinx when to call us."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir) / FOLDER))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(folder: Path) -> None:
    """Write the pages, those only that have changed, so that Sphinx reads no others again."""
    folder.mkdir(exist_ok=True)
    for name, document in specs.catalog().items():
        text = page(document())
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def page(document: Document) -> str:
    """Return the page of a service."""
    return "\n".join(
        [*_head(document), *(line for name in document for line in _operation(document, document.operation(name)))]
    )


def _head(document: Document) -> Iterator[str]:
    yield from (document.service, "=" * len(document.service), "")
    yield from (_plain(document.raw.get("info", {}).get("description", "")), "")


def _operation(document: Document, spec: OperationSpec) -> Iterator[str]:
    yield f".. py:function:: {spec.name}{signature(spec)}"
    yield ""
    yield f"   {_plain(spec.summary).rstrip('.')}."
    if spec.description and spec.description != spec.summary:
        yield f"   {_plain(spec.description)}"
    yield ""
    yield f"   ``{spec.verb} {spec.path}``"
    yield ""
    for parameter in sorted(spec.parameters, key=lambda each: (not each.required, each.name)):
        yield f"   :param {parameter.name}: {_described(parameter)}"
        yield from _fields(document, parameter)
    yield f"   :returns: {_plain(spec.result_description) or 'None'}"
    yield ""


def _fields(document: Document, parameter: Parameter) -> Iterator[str]:
    for name, notes, description in fields(document, parameter):
        yield from ("", f"      * ``{name}`` ({_plain(notes)}): {_plain(description)}", "")


def _described(parameter: Parameter) -> str:
    notes = [parameter.location, parameter.type] + ["required"] * parameter.required
    if "enum" in parameter.raw:
        notes.append(f"one of {', '.join(map(str, parameter.raw['enum']))}")
    if parameter.alias:
        notes.append(f"also accepted as {parameter.alias}")
    if parameter.is_later:
        notes.append("later servers only")
    return f"{_plain(parameter.description)} ({_plain('; '.join(notes))})"


def _plain(text: str) -> str:
    """Return a text in one line, in which no character is markup."""
    return re.sub(r"([\\*`|_<>])", r"\\\1", " ".join(text.split()))
