"""Transforms: a few conversions that really run, on files that the caller may read."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, cast

from ..api import Call, Download, NotFound, Reply
from ..conversions import CONVERSIONS, Conversion
from ..fields import Fields
from . import Service

if TYPE_CHECKING:
    from .files import Files

Found = builtins.list[dict[str, Any]]  # written out here, since in the class ``list`` is an operation


class Transforms(Service):
    """The operations of resources/transforms.yaml."""

    name = "transforms"

    @property
    def _files(self) -> Files:
        return cast("Files", self.state.services["files"])

    def list(self, call: Call) -> Found:
        return [_record(each) for each in CONVERSIONS.values()]

    def listByTag(self, call: Call, *, tag: str) -> Found:
        return [_record(each) for each in CONVERSIONS.values() if tag.lower() in each.tags]

    def get(self, call: Call, *, transformId: str) -> Found:
        return [_record(_conversion(transformId))]

    def transformAndDownload(
        self, call: Call, *, transformId: str, owner: str, filePath: str = "", body: Any = None
    ) -> Download:
        """Convert a file and give the output, which is kept nowhere."""
        conversion = _conversion(transformId)
        native_format = _native_format(conversion, Fields(body, within="transform"))
        return self._files.converted(
            call.user, owner=owner, path=filePath, conversion=conversion, native_format=native_format
        )

    def transformAndStage(
        self, call: Call, *, transformId: str, owner: str, filePath: str = "", body: Any = None
    ) -> Reply:
        """Convert a file in the background; the history of the output says how far it is."""
        conversion = _conversion(transformId)
        fields = Fields(body, within="transform")
        self._files.begin_conversion(
            call,
            owner=owner,
            path=filePath,
            url=fields.text("url", longest=8192).strip(),
            conversion=conversion,
            native_format=_native_format(conversion, fields),
            callback_url=fields.get("callbackUrl"),
        )
        return Reply([_record(conversion)], outcome="accepted")


def _conversion(name: str) -> Conversion:
    try:
        return CONVERSIONS[name]
    except KeyError:
        raise NotFound(f"No transform found matching {name}. Transforms: {', '.join(CONVERSIONS)}.") from None


def _native_format(conversion: Conversion, fields: Fields) -> str:
    word = (fields.free_text("nativeFormat") or "raw").lower()
    conversion.check_format(word)
    return word


def _record(conversion: Conversion) -> dict[str, Any]:
    decoders = [CONVERSIONS[name] for name in conversion.undone_by]
    return {
        "name": conversion.name,
        "description": conversion.description,
        "descriptionurl": None,
        "enabled": True,
        "tags": builtins.list(conversion.tags),
        "encoder": {"name": conversion.name, "description": conversion.description},
        "decoders": [{"name": each.name, "description": each.description} for each in decoders],
    }
