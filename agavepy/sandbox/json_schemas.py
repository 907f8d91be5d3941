"""JSON Schema documents of users, and values that are to keep to them.

A schema can hold regular expressions and references that keep a validator busy for hours, so everything is checked
in a process of its own, which the kernel ends after two seconds of computing. References to other documents are
never fetched.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from .api import BadRequest
from .fields import Fields

_LIMIT_S = 2  # of computing
_PATIENCE_S = 30  # of waiting for that, on a machine that has other things to do

# rfc3987_syntax compiles grammars for a second when it is imported; jsonschema does without it.
_CODE = f"""
import json, resource, sys, warnings
resource.setrlimit(resource.RLIMIT_CPU, ({_LIMIT_S}, {_LIMIT_S}))
warnings.simplefilter("ignore")
sys.modules["rfc3987_syntax"] = None
import jsonschema, jsonschema_specifications
from jsonschema.exceptions import best_match

def problem(schema, values):
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft4Validator)
    found = best_match(kind(kind.META_SCHEMA, format_checker=kind.FORMAT_CHECKER).iter_errors(schema))
    if found is None:
        checker = kind(schema, registry=jsonschema_specifications.REGISTRY, format_checker=kind.FORMAT_CHECKER)
        found = best_match(error for value in values for error in checker.iter_errors(value))
    return None if found is None else [found.json_path, found.message[:300]]

answers = []
for schema, values in json.load(sys.stdin):
    try:
        answers.append(problem(schema, values))
    except Exception as error:
        answers.append(["$", str(error)[:300]])
json.dump(answers, sys.stdout)
"""


def check(schema: Any) -> dict[str, Any]:
    """Return a schema; :raises BadRequest: it is none."""
    if not isinstance(schema, dict):
        raise BadRequest("A metadata schema is a JSON object, a JSON Schema document.")
    Fields(schema, within="schema")  # refuses texts that cannot be kept
    [problem] = _problems([(schema, [])])
    if problem:
        raise BadRequest(f"The document is not a valid JSON Schema. {problem}")
    return schema


def require_valid(value: Any, schema: dict[str, Any]) -> None:
    """:raises BadRequest: the value does not keep to the schema, or it takes too long to find out."""
    [problem] = _problems([(schema, [value])])
    if problem:
        raise BadRequest(
            f"The value field does not adhere to the metadata schema referenced by the schemaId. {problem}"
        )


def _problems(pairs: Sequence[tuple[dict[str, Any], list[Any]]]) -> list[str]:
    """Return for each schema and its values the first thing wrong with them, empty if nothing is."""
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-I", "-c", _CODE],
            input=json.dumps(pairs).encode("ascii"),
            capture_output=True,
            timeout=_PATIENCE_S,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise BadRequest(f"Checking against the schema takes more than {_LIMIT_S} s; simplify the schema.") from None
    return [f"{each[0]}: {each[1]}" if each else "" for each in json.loads(done.stdout)]
