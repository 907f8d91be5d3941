"""From an app's wrapper template to the script that runs: substitution only, no files and no processes.

Values come from users and are pasted as they are, as on the real server: the template's author decides about
quoting, or sets ``enquote``, which puts a value in double quotes and does nothing about quotes inside it.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .fields import seconds

CALLBACKS = ".agave.callbacks"

_VARIABLE = re.compile(r"\$\{([^{}\n]+)\}")
_NOTIFICATION = re.compile(r"\$\{AGAVE_JOB_CALLBACK_NOTIFICATION((?:\|[^{}|\n]*)*)\}")
# The runner sees the process start and end, and archives by itself: a template may not claim these.
_STRIPPED = re.compile(r"\$\{(?:AGAVE_JOB_CALLBACK|IPLANT)_(?:RUNNING|CLEANING_UP|SUCCESS|ARCHIVING(?:_\w+)?)\}")
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

App = Mapping[str, Any]
Job = Mapping[str, Any]
System = Mapping[str, Any]


def slug(name: str) -> str:
    """Return a job's name as files are called after it: lower case, dashes for blanks, little punctuation."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^\w.-]", "", re.sub(r"\s", "-", plain)) or "job"


def script(
    template: str,
    *,
    shell: str,
    folder: Path,
    app: App,
    job: Job,
    system: System,
    names: Mapping[str, list[str]],
    macros: Mapping[str, str],
) -> str:
    """
    Return the whole script of a job.

    :param template: the text of the app's templatePath.
    :param folder: the job's work folder.
    :param names: input id → base names of the staged files.
    :param macros: as :func:`macros_of` gives them.
    """
    parts = [
        f"#!{shell}",
        f"cd {shlex.quote(str(folder))}",
        _callback(folder, "RUNNING"),
        *(f"module load {module}" for module in app["modules"]),
        *_preparation(system, macros),
        substitute(template, app=app, job=job, names=names, macros=macros, folder=folder),
        _callback(folder, "CLEANING_UP"),
    ]
    return "\n".join(parts) + "\n"


def substitute(
    template: str, *, app: App, job: Job, names: Mapping[str, list[str]], macros: Mapping[str, str], folder: Path
) -> str:
    """Return the template with parameters, then inputs, then callbacks and macros put in; the rest is the shell's."""
    text = _replaced(template, parameter_texts(app, job["parameters"]), any_case=True)
    text = _replaced(text, input_texts(app, names), any_case=True)
    return _replaced(_with_callbacks(text, folder), macros)


def parameter_texts(app: App, values: Mapping[str, Any]) -> dict[str, str]:
    """Return id → text for every parameter of the app; those without a value are empty."""
    return {item["id"]: _parameter_text(item, _as_list(values.get(item["id"]))) for item in app["parameters"]}


def input_texts(app: App, names: Mapping[str, list[str]]) -> dict[str, str]:
    """Return id → text for every input of the app; those without a file are empty."""
    return {item["id"]: _with_arguments(item, names.get(item["id"], [])) for item in app["inputs"]}


def macros_of(job: Job, *, queue: Mapping[str, Any], folder: Path, tenant_id: str, base_url: str) -> dict[str, str]:
    """Return the AGAVE_* and IPLANT_* variables of a job, for its template and its environment."""
    limit_s = seconds(job["maxRunTime"])
    place = (job.get("archiveSystem") or "", job.get("archivePath") or "") if job["archive"] else ("", "")
    return {
        "AGAVE_JOB_NAME": slug(job["name"]),
        "AGAVE_JOB_NAME_RAW": job["name"],
        "AGAVE_JOB_ID": job["id"],
        "AGAVE_JOB_APP_ID": job["appId"],
        "AGAVE_JOB_EXECUTION_SYSTEM": job["executionSystem"],
        "AGAVE_JOB_BATCH_QUEUE": job["batchQueue"],
        "AGAVE_JOB_BATCH_QUEUE_EFFECTIVE_NAME": queue.get("mappedName") or job["batchQueue"],
        "AGAVE_JOB_SUBMIT_TIME": job["submitTime"],
        "AGAVE_JOB_ARCHIVE": "1" if job["archive"] else "",
        "AGAVE_JOB_ARCHIVE_SYSTEM": place[0],
        "AGAVE_JOB_ARCHIVE_PATH": place[1],
        "AGAVE_JOB_ARCHIVE_URL": f"{base_url}/files/v2/media/system/{'/'.join(place)}" if job["archive"] else "",
        "AGAVE_JOB_NODE_COUNT": str(job["nodeCount"]),
        "AGAVE_JOB_PROCESSORS_PER_NODE": str(job["processorsPerNode"]),
        "AGAVE_JOB_MEMORY_PER_NODE": str(job["memoryPerNode"]),
        "AGAVE_JOB_MAX_RUNTIME": job["maxRunTime"],
        "AGAVE_JOB_MAX_RUNTIME_SECONDS": str(limit_s),
        "AGAVE_JOB_MAX_RUNTIME_MILLISECONDS": str(limit_s * 1000),
        "AGAVE_JOB_WORK_PATH": str(folder),
        "AGAVE_JOB_OWNER": job["owner"],
        "AGAVE_JOB_TENANT": tenant_id,
        "AGAVE_BASE_URL": base_url,
        "IPLANT_JOB_NAME": slug(job["name"]),
        "IPLANT_CORES_REQUESTED": str(job["nodeCount"] * job["processorsPerNode"]),
    }


# Values


def _parameter_text(item: Mapping[str, Any], values: list[Any]) -> str:
    if item["value"]["type"] == "flag":
        return (item["details"]["argument"] or "") if any(values) else ""
    return _with_arguments(item, [_plain(value) for value in values])


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _with_arguments(item: Mapping[str, Any], texts: list[str]) -> str:
    details = item["details"]
    argument = (details["argument"] or "") if details["showArgument"] and texts else ""
    quoted = [f'"{text}"' for text in texts] if item["value"]["enquote"] else texts
    if details["repeatArgument"]:
        return " ".join(argument + text for text in quoted)
    return argument + " ".join(quoted)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _replaced(text: str, values: Mapping[str, str], *, any_case: bool = False) -> str:
    """Replace each ``${name}`` that is known; the others are variables of the shell."""
    known = {name.lower(): value for name, value in values.items()} if any_case else values
    return _VARIABLE.sub(lambda found: known.get(found[1].lower() if any_case else found[1], found[0]), text)


# What goes before the template


def _preparation(system: System, macros: Mapping[str, str]) -> Iterable[str]:
    if system.get("environment"):
        yield system["environment"]
    if system.get("startupScript"):
        path = _replaced(system["startupScript"], {**_system_variables(system), **macros})
        # Unquoted, so that ~ and variables work; absent is fine: the default of many systems is ~/.bashrc.
        yield f"if [ -f {path} ]; then . {path}; fi"


def _system_variables(system: System) -> dict[str, str]:
    variables = {"SYSTEM_ID": system["id"]}
    for part in ("storage", "login"):
        for name, value in (system.get(part) or {}).items():
            if isinstance(value, str | int | float):
                variables[f"SYSTEM_{part.upper()}_{name.upper()}"] = str(value)
    return variables


# Callbacks
#
# On a real system each is a curl call to the tenant. Here the process runs on the tenant's own machine: a line
# appended to a file of the work folder, which the runner reads, needs neither curl nor a token in the script.


def _with_callbacks(text: str, folder: Path) -> str:
    text = _NOTIFICATION.sub(lambda found: _notification(folder, found[1]), _STRIPPED.sub("", text))
    lines = {
        "AGAVE_JOB_CALLBACK_FAILURE": _callback(folder, "FAILURE"),
        "IPLANT_FAILURE": _callback(folder, "FAILURE"),
        "AGAVE_JOB_CALLBACK_ALIVE": _callback(folder, "ALIVE"),
    }
    return _replaced(text, lines)


def _callback(folder: Path, word: str) -> str:
    return f"echo {word} >> {shlex.quote(str(folder / CALLBACKS))}"


def _notification(folder: Path, options: str) -> str:
    """Return the line for ``|VAR1,VAR2`` or ``|EVENT|VAR1,VAR2`` or nothing."""
    parts = [part.strip() for part in options.split("|")[1:]]
    event = parts[0] if len(parts) > 1 and _SHELL_NAME.fullmatch(parts[0]) else ""
    variables = [name.strip() for name in (parts[-1] if parts else "").split(",")]
    # A value stays on one line of the file.
    pairs = "".join(
        f' {name}="$(printf %s "${{{name}}}" | tr "\\n" " ")"' for name in variables if _SHELL_NAME.fullmatch(name)
    )
    return f"echo NOTIFICATION {event or '-'}{pairs} >> {shlex.quote(str(folder / CALLBACKS))}"
