"""The script of a job, from the template of its app: what is replaced, and what is left to the shell."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from agavepy.sandbox import wrapper

FOLDER = Path("/jobs/job 1")
MACROS = {"AGAVE_JOB_ID": "42-007", "AGAVE_JOB_OWNER": "nryan", "AGAVE_JOB_ARCHIVE": ""}


def item(name: str, kind: str = "string", *, enquote: bool = False, **details: Any) -> dict[str, Any]:
    shown = {"argument": None, "showArgument": False, "repeatArgument": False, **details}
    return {"id": name, "value": {"type": kind, "enquote": enquote}, "details": shown}


def substituted(template: str, *, parameters: Any = (), inputs: Any = (), values: Any = None, names: Any = None) -> str:
    app = {"parameters": list(parameters), "inputs": list(inputs), "modules": []}
    job = {"parameters": values or {}}
    return wrapper.substitute(template, app=app, job=job, names=names or {}, macros=MACROS, folder=FOLDER)


@pytest.mark.parametrize("written", ["${mode}", "${MODE}", "${Mode}"])
def test_an_id_is_replaced_without_regard_to_case(written: str) -> None:
    assert substituted(f"run {written}", parameters=[item("mode")], values={"mode": "fast"}) == "run fast"


def test_an_id_without_a_value_becomes_empty() -> None:
    text = substituted("[${mode}] [${query}]", parameters=[item("mode")], inputs=[item("query")])
    assert text == "[] []"


def test_variables_of_the_shell_survive() -> None:
    template = 'echo $x ${HOME} ${x:-1} $(date) "${array[@]}" ${#x}'
    assert substituted(template, parameters=[item("mode")]) == template


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [("bool", True, "1"), ("bool", False, "0"), ("number", 3, "3"), ("number", 2.5, "2.5"), ("enumeration", "a", "a")],
)
def test_a_parameter_is_its_value(kind: str, value: Any, text: str) -> None:
    assert substituted("${p}", parameters=[item("p", kind)], values={"p": value}) == text


@pytest.mark.parametrize(("value", "text"), [(True, "-v"), (False, ""), (None, "")])
def test_a_flag_is_its_argument_or_nothing(value: Any, text: str) -> None:
    assert substituted("${p}", parameters=[item("p", "flag", argument="-v")], values={"p": value}) == text


@pytest.mark.parametrize(
    ("details", "enquote", "text"),
    [
        ({}, False, "a b"),
        ({"argument": "-i "}, False, "a b"),
        ({"argument": "-i ", "showArgument": True}, False, "-i a b"),
        ({"argument": "-i ", "showArgument": True, "repeatArgument": True}, False, "-i a -i b"),
        ({"argument": "--in=", "showArgument": True, "repeatArgument": True}, True, '--in="a" --in="b"'),
        ({}, True, '"a" "b"'),
    ],
)
def test_arguments_and_quotes_go_round_the_values(details: Any, enquote: bool, text: str) -> None:
    one = item("p", enquote=enquote, **details)
    assert substituted("${p}", parameters=[one], values={"p": ["a", "b"]}) == text
    assert substituted("${p}", inputs=[one], names={"p": ["a", "b"]}) == text


def test_an_argument_is_not_shown_without_a_value() -> None:
    one = item("p", argument="-i ", showArgument=True)
    assert substituted("${p}", parameters=[one]) == ""


def test_values_are_pasted_as_they_are() -> None:
    text = substituted("echo ${p}", parameters=[item("p")], values={"p": 'x; rm "$y" \\1'})
    assert text == 'echo x; rm "$y" \\1'


def test_parameters_come_before_inputs_and_inputs_before_macros() -> None:
    text = substituted(
        "${p}",
        parameters=[item("p")],
        inputs=[item("q")],
        values={"p": "${q} ${AGAVE_JOB_OWNER}"},
        names={"q": ["${AGAVE_JOB_ID}"]},
    )
    assert text == "42-007 nryan"


def test_macros_are_replaced_and_unknown_ones_left() -> None:
    assert substituted("${AGAVE_JOB_ID} [${AGAVE_JOB_ARCHIVE}] ${AGAVE_JOB_X}") == "42-007 [] ${AGAVE_JOB_X}"


@pytest.mark.parametrize("callback", ["RUNNING", "CLEANING_UP", "SUCCESS", "ARCHIVING_START", "ARCHIVING_FAILURE"])
def test_callbacks_about_what_the_tenant_sees_itself_are_stripped(callback: str) -> None:
    assert substituted(f"a ${{AGAVE_JOB_CALLBACK_{callback}}} b") == "a  b"


@pytest.mark.parametrize("macro", ["AGAVE_JOB_CALLBACK_FAILURE", "IPLANT_FAILURE"])
def test_the_failure_callback_is_one_command_without_quotes_of_its_own(macro: str) -> None:
    text = wrapper.substitute(
        f"trap '${{{macro}}}' EXIT",
        app={"parameters": [], "inputs": []},
        job={"parameters": {}},
        names={},
        macros=MACROS,
        folder=Path("/jobs/job"),
    )
    assert text == "trap 'echo FAILURE >> /jobs/job/.agave.callbacks' EXIT"


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("${AGAVE_JOB_CALLBACK_ALIVE}", "ALIVE"),
        ("${AGAVE_JOB_CALLBACK_NOTIFICATION}", "NOTIFICATION -"),
        ("${AGAVE_JOB_CALLBACK_NOTIFICATION|A,B}", "NOTIFICATION - A=1 B=two words"),
        ("${AGAVE_JOB_CALLBACK_NOTIFICATION|HALFWAY|A}", "NOTIFICATION HALFWAY A=1"),
        ("${AGAVE_JOB_CALLBACK_NOTIFICATION|$(touch x)}", "NOTIFICATION -"),
    ],
)
def test_a_callback_writes_its_line(tmp_path: Path, written: str, line: str) -> None:
    folder = tmp_path / "job's folder"
    folder.mkdir()
    text = wrapper.substitute(
        f"A=1; B='two\nwords'\n{written}\n",
        app={"parameters": [], "inputs": []},
        job={"parameters": {}},
        names={},
        macros=MACROS,
        folder=folder,
    )
    subprocess.run(["/bin/sh", "-c", text], check=True, cwd=folder)
    assert (folder / wrapper.CALLBACKS).read_text() == f"{line}\n"
    assert [place.name for place in folder.iterdir()] == [wrapper.CALLBACKS]


def test_the_script_prepares_the_system_before_the_template() -> None:
    text = wrapper.script(
        "echo ${p}\r\n",
        shell="/bin/bash",
        folder=FOLDER,
        app={"parameters": [item("p")], "inputs": [], "modules": ["gcc/9", "hdf5"]},
        job={"parameters": {"p": "x"}},
        system={
            "id": "exec",
            "environment": "export A=1",
            "startupScript": "~/${SYSTEM_ID}-${SYSTEM_LOGIN_HOST}.sh",
            "storage": {"host": "h", "port": 22},
            "login": {"host": "node"},
        },
        names={},
        macros=MACROS,
    )
    assert text.split("\n") == [
        "#!/bin/bash",
        "cd '/jobs/job 1'",
        "echo RUNNING >> '/jobs/job 1/.agave.callbacks'",
        "module load gcc/9",
        "module load hdf5",
        "export A=1",
        "if [ -f ~/exec-node.sh ]; then . ~/exec-node.sh; fi",
        "echo x\r",
        "",
        "echo CLEANING_UP >> '/jobs/job 1/.agave.callbacks'",
        "",
    ]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Hello World!", "hello-world"),
        ("a_b.c-d", "a_b.c-d"),
        ("../../etc", "....etc"),
        ("Crème 2", "creme-2"),
        ("日本", "job"),
        ("a\nb\tc", "a-b-c"),
    ],
)
def test_a_slug_is_a_file_name(name: str, slug: str) -> None:
    assert wrapper.slug(name) == slug
