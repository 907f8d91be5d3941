"""What the person at the terminal is asked; with a pseudo-terminal in place of the person."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from agavepy import prompts
from agavepy.errors import AgaveError

ROOT = Path(__file__).parent.parent
CTRL_D = "\x04"
ASK = """
from types import SimpleNamespace
from agavepy import prompts
from agavepy.errors import AgaveError
ag = SimpleNamespace(username=None, password=None)
try:
    print("got", prompts.username(ag), len(prompts.password(ag)))
    print("again", prompts.username(ag), len(prompts.password(ag)))
except AgaveError as error:
    print("AgaveError:", error)
"""
OWN_THE_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"  # as a login shell does
STDIN_IS_NONE = "import os, sys; os.dup2(os.open(os.devnull, os.O_RDONLY), 0)\n"
IN_THE_BACKGROUND = "import os\nif pid := os.fork():\n    os.waitpid(pid, 0); os._exit(0)\nos.setpgid(0, 0)\n"


class Screen(NamedTuple):
    """What stood on the terminal in the end."""

    text: str
    exit_code: int


def at_terminal(code: str, *answers: tuple[str, str], timeout_s: float = 30, **variables: str) -> Screen:
    """
    Run Python code at a pseudo-terminal of its own; return what could be read there.

    :param answers: pairs of a prompt to wait for and what to type then, as if followed by Enter.
    :param variables: further ones of the environment.
    """
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        cwd=ROOT,
        env=environment(**variables),
    )
    os.close(slave)
    try:
        text = _converse(master, answers, deadline=time.monotonic() + timeout_s)
        return Screen(text, process.wait(timeout_s))
    finally:
        process.kill()
        process.wait()
        os.close(master)


def without_terminal(code: str, **variables: str) -> str:
    """Run Python code as cron does; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=30,
        cwd=ROOT,
        env=environment(**variables),
        check=False,
    )
    return done.stdout + done.stderr


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without what would answer the prompts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAPIS_", "AGAVE_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **variables}


def _converse(master: int, answers: tuple[tuple[str, str], ...], *, deadline: float) -> str:
    text = ""
    for prompt, typed in answers:
        start = len(text)
        while prompt not in text[start:]:
            more = _read(master, deadline)
            assert more, f"the program ended before it asked {prompt!r}: {text}"
            text += more
        os.write(master, (typed if typed == CTRL_D else f"{typed}\n").encode())
    while more := _read(master, deadline):
        text += more
    return text.replace("\r\n", "\n")


def _read(master: int, deadline: float) -> str:
    ready, _, _ = select.select([master], [], [], max(0.0, deadline - time.monotonic()))
    assert ready, "the program asks for more than it is told, or hangs"
    try:
        return os.read(master, 1 << 16).decode(errors="replace")
    except OSError:  # Linux: the other end is closed
        return ""


def test_name_and_password_are_asked_for_once_and_the_password_is_not_shown() -> None:
    screen = at_terminal(ASK, ("API username: ", "nryan"), ("API password: ", "tiptop secret"))
    assert screen.text == "API username: nryan\nAPI password: \ngot nryan 13\nagain nryan 13\n"


def test_the_environment_answers_first() -> None:
    screen = at_terminal(ASK, TAPIS_USERNAME="nryan", TAPIS_PASSWORD="tiptop")
    assert screen.text == "got nryan 6\nagain nryan 6\n"


def test_only_what_is_missing_is_asked_for() -> None:
    screen = at_terminal(ASK, ("API password: ", "tiptop"), TAPIS_USERNAME="nryan", TAPIS_PASSWORD="")
    assert "API username" not in screen.text
    assert "got nryan 6" in screen.text


def test_what_the_client_knows_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPIS_USERNAME", "other")
    monkeypatch.setenv("TAPIS_PASSWORD", "other")
    ag = SimpleNamespace(username="nryan", password="own")
    assert (prompts.username(ag), prompts.password(ag)) == ("nryan", "own")


def test_a_password_in_the_environment_is_not_tried_for_another_user() -> None:
    code = ASK.replace("username=None", "username='nryan'")
    screen = at_terminal(code, ("API password: ", "four"), TAPIS_USERNAME="other", TAPIS_PASSWORD="of another")
    assert "got nryan 4" in screen.text
    assert "got nryan 10" in at_terminal(code, TAPIS_PASSWORD="of another").text


def test_without_a_terminal_the_error_says_which_variable_to_set() -> None:
    said = without_terminal(ASK)
    assert said == (
        "AgaveError: username is not known, and there is no terminal to ask for it."
        " Set TAPIS_USERNAME, or pass username=… to Agave().\n"
    )
    assert "Set TAPIS_PASSWORD, or pass password=… to Agave()." in without_terminal(ASK, TAPIS_USERNAME="nryan")


@pytest.mark.parametrize("typed", [CTRL_D, "", "   "])
def test_no_answer_is_an_error_that_says_what_to_do(typed: str) -> None:
    name = at_terminal(ASK, ("API username: ", typed))
    assert "AgaveError: username is not known, and nothing was typed. Set TAPIS_USERNAME" in name.text
    secret = at_terminal(ASK, ("API password: ", typed), TAPIS_USERNAME="nryan")
    assert "AgaveError: password is not known, and nothing was typed. Set TAPIS_PASSWORD" in secret.text
    assert "Traceback" not in name.text + secret.text


def test_a_terminal_that_is_not_stdin_is_asked_for_the_password_only() -> None:
    code = OWN_THE_TERMINAL + STDIN_IS_NONE + ASK
    assert "got nryan 6" in at_terminal(code, ("API password: ", "tiptop"), TAPIS_USERNAME="nryan").text
    assert "Set TAPIS_USERNAME" in at_terminal(code).text


def test_a_job_in_the_background_is_not_stopped_by_a_question() -> None:
    code = OWN_THE_TERMINAL + STDIN_IS_NONE + IN_THE_BACKGROUND + ASK
    assert "Set TAPIS_PASSWORD" in at_terminal(code, TAPIS_USERNAME="nryan").text


def test_a_notebook_asks_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(text: str) -> str:
        asked.append(text)
        return f"answer {len(asked)}"

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("getpass.getpass", answer)
    ag = SimpleNamespace(username=None, password=None)
    assert (prompts.username(ag), prompts.password(ag)) == ("answer 1", "answer 2")
    assert asked == ["API username: ", "API password: "]


def test_a_notebook_that_runs_by_itself_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(text: str) -> str:
        raise NotImplementedError("this frontend does not support input")

    monkeypatch.setattr("builtins.input", refuse)
    with pytest.raises(AgaveError, match="there is no terminal to ask for it. Set TAPIS_USERNAME"):
        prompts.username(SimpleNamespace(username=None))


def test_a_password_that_would_be_seen_is_not_asked_for() -> None:
    code = "import sys, io; sys.modules['termios'] = None\n" + ASK  # getpass cannot turn the echo off then
    screen = at_terminal(code, TAPIS_USERNAME="nryan")
    assert "Set TAPIS_PASSWORD" in screen.text
    assert "API password" not in screen.text


def test_threads_that_miss_the_same_answer_ask_once() -> None:
    code = r"""
import threading
from types import SimpleNamespace
from agavepy import prompts
ag = SimpleNamespace(username="nryan", password=None)
threads = [threading.Thread(target=lambda: print(f"got {len(prompts.password(ag))}\n", end="")) for _ in range(8)]
[each.start() for each in threads]
[each.join() for each in threads]
"""
    screen = at_terminal(code, ("API password: ", "tiptop"))
    assert screen.text.count("API password") == 1
    assert screen.text.count("got 6") == 8


@pytest.mark.parametrize(
    ("status", "message", "is_refused"),
    [
        (401, "Access Token Expired", True),
        (400, "Invalid username/password combination.", True),
        (400, "Login failed.Please recheck the entries and try again.", True),
        (400, "Unable to authenticate user.", True),
        (400, "", True),
        (400, "Unable to create application: a duplicate application name exists: x", False),
        (400, "Application not found", False),
        (503, "", False),
    ],
)
def test_what_was_typed_is_forgotten_where_it_was_refused(status: int, message: str, is_refused: bool) -> None:
    ag = SimpleNamespace(username="nryan", password=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("getpass.getpass", lambda text: "typed")
        refuse(ag, status, message)
    assert (ag.username, ag.password) == ("nryan", None if is_refused else "typed")


def test_a_password_that_was_passed_is_never_forgotten() -> None:
    ag = SimpleNamespace(username="nryan", password="own")
    refuse(ag, 401, "")
    assert ag.password == "own"


class Refusal(Exception):
    """As AgaveHTTPError is."""

    def __init__(self, status_code: int, message: str) -> None:
        self.status_code, self.message = status_code, message


def refuse(ag: SimpleNamespace, status: int, message: str) -> None:
    with pytest.raises(Refusal), prompts.login(ag):
        raise Refusal(status, message)


def test_a_table_is_aligned_and_of_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    prompts.print_table(("NAME", "DESCRIPTION"), [("a-long-name", "two\nlines"), ("b", None), ("é", "\x1b[31mred")])
    assert capsys.readouterr().out.splitlines() == [
        "NAME         DESCRIPTION",
        "a-long-name  two lines",
        "b",
        "é            [31mred",
    ]


def test_a_table_without_rows_is_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    prompts.print_table(("NAME", "DESCRIPTION"), [])
    assert capsys.readouterr().out == "NAME  DESCRIPTION\n"


def test_a_terminal_that_cannot_show_a_letter_shows_a_question_mark() -> None:
    code = "from agavepy import prompts; prompts.print_table(['A'], [['caf\\xe9 \\ud800']])"
    assert without_terminal(code, PYTHONIOENCODING="ascii") == "A\ncaf?\n"
