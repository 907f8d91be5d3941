"""What every answer keeps to: Schemathesis' own checks, and what ``default`` responses would let pass."""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis import checks

from .fields import undeclared


@schemathesis.check
def no_undeclared_server_error(context: Any, response: Any, case: Any) -> None:
    """A status from 500 is one that the operation declares by its number."""
    assert response.status_code < 500 or _is_declared(response, case), f"It failed with {response.status_code}"


@schemathesis.check
def declared_success(context: Any, response: Any, case: Any) -> None:
    """A success is one that the operation declares by its number; nothing is redirected."""
    is_refusal = response.status_code >= 400
    assert is_refusal or _is_declared(response, case), f"{response.status_code} is no status of {case.operation.label}"


@schemathesis.check
def declared_fields(context: Any, response: Any, case: Any) -> None:
    """A success has no field that its document does not know."""
    declared = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    if response.status_code < 300 and declared.get("schema", {}).get("type", "file") != "file":
        found = undeclared(case.operation.schema.raw_schema, declared["schema"], response.json())
        assert not found, f"The document does not know {', '.join(sorted(set(found)))}"


@schemathesis.check
def worded_refusal(context: Any, response: Any, case: Any) -> None:
    """A refusal says why: in an envelope, or as the gateway's fault."""
    if response.status_code < 400 or case.method == "HEAD":
        return
    body = response.json()
    reason = body["fault"]["message"] if "fault" in body else body["message"]
    assert reason, f"A refusal without a reason: {body}"
    assert "fault" in body or body["status"] == "error", f"A refusal that does not call itself an error: {body}"


def _is_declared(response: Any, case: Any) -> bool:
    return str(response.status_code) in case.operation.definition.raw["responses"]


ALL = [
    no_undeclared_server_error,
    declared_success,
    declared_fields,
    worded_refusal,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
