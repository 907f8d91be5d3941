"""From the name of an image to a command: the tenant's table, what is built in, container engines."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agavepy.sandbox import Sandbox
from agavepy.sandbox.actor_images import BUILT_IN, Images, without_tag
from agavepy.sandbox.containers import Engine, Fetches, UnknownImage

from .acting import Acting
from .conftest import Http

ENGINE = Engine.found()
SMALL_IMAGE = "busybox:latest"


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("abacosamples/py3_func:dev", "abacosamples/py3_func"),
        ("wc", "wc"),
        ("registry.example.org:5000/me/wc", "registry.example.org:5000/me/wc"),
        ("registry.example.org:5000/me/wc:1.2", "registry.example.org:5000/me/wc"),
        ("me/wc@sha256:00ff", "me/wc"),
    ],
)
def test_tag_and_digest_are_no_part_of_the_name(image: str, name: str) -> None:
    assert without_tag(image) == name


def test_the_table_is_asked_for_the_whole_name_first_and_then_without_its_tag() -> None:
    images = Images({"me/wc": "echo any 'of them'", "me/wc:2": "echo the second"})
    assert images.command("me/wc:1") == ["echo", "any", "of them"]
    assert images.command("me/wc:2") == ["echo", "the", "second"]
    assert images.command("me/other") is None


def test_the_table_wins_over_what_is_built_in() -> None:
    assert Images({"abacosamples/test": "echo mine"}).command("abacosamples/test:latest") == ["echo", "mine"]


@pytest.mark.parametrize("image", sorted(BUILT_IN))
def test_what_is_built_in_runs_with_this_python_and_without_its_settings(image: str) -> None:
    command = Images({}).command(f"{image}:dev")
    assert command is not None
    assert command[:2] == [sys.executable, "-I"]
    assert Path(command[2]).is_file()


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownImage, match="'no-such-program' of image 'me/wc:1'"):
        Images({"me/wc": "no-such-program -x"}).command("me/wc:1")


@pytest.mark.parametrize("table", [{"me/wc": ""}, {"me/wc": "echo 'open"}, {"": "echo"}])
def test_a_table_that_makes_no_sense_is_refused_at_the_start(table: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="image"):
        Sandbox(images=table).start()


@pytest.mark.parametrize("value", ["me/wc", "me/wc=", "=echo", "me/wc=echo 'open"])
def test_the_command_line_wants_name_and_command(value: str) -> None:
    command = [sys.executable, "-m", "agavepy", "sandbox", "--image", value]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "give the image as NAME=COMMAND" in done.stderr


# Containers


def test_a_container_gets_its_mounts_and_limits_and_its_secrets_are_in_no_list_of_processes() -> None:
    command = Engine("/usr/bin/docker").command(
        "me/wc:1",
        name="agavepy-x",
        user="1000:1000",
        secret=["MSG", "_abaco_access_token"],
        environment={"DOCKER_HOST": "tcp://elsewhere", "A": "b"},
        mounts={Path("/root/fifo"): "/_abaco_binary_data", Path("/root/sock"): "/_abaco_results.sock"},
        memory="512m",
        processors="2",
    )
    pairs = list(itertools.pairwise(command))
    assert command[:3] == ["/usr/bin/docker", "run", "--rm"]
    assert command[-1] == "me/wc:1"
    for pair in (
        ("--name", "agavepy-x"),
        ("--env", "_abaco_access_token"),
        ("--env", "DOCKER_HOST=tcp://elsewhere"),  # the container's, not the engine's own
        ("--volume", "/root/fifo:/_abaco_binary_data"),
        ("--volume", "/root/sock:/_abaco_results.sock"),
        ("--user", "1000:1000"),
        ("--memory", "512m"),
        ("--cpus", "2"),
        ("--cap-drop", "ALL"),
    ):
        assert pair in pairs
    assert "--privileged" not in command


def test_without_limits_none_are_set() -> None:
    command = Engine("podman").command("me/wc", name="n", user=None, secret=[], environment={}, mounts={})
    assert not {"--memory", "--cpus", "--user", "--env", "--volume"} & set(command)


def test_an_engine_that_does_not_answer_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, line in (("docker", "echo 'ERROR: no daemon' >&2"), ("podman", "exit 125")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Engine.found() is None


# A stand-in for an engine: it says what it was told, and runs a command of its own.
PRETENDER = """#!/bin/sh
echo "$1" >> "{told}"
case "$1" in
    image) exit 1 ;;
    run) echo "$@"; echo "MSG is $MSG" ;;
esac
"""


def test_what_the_table_does_not_have_is_fetched_and_run_by_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    (tmp_path / "docker").write_text(PRETENDER.format(told=told))
    (tmp_path / "docker").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with Sandbox() as tenant, Http(tenant) as http:
        acting = Acting(tenant, http)
        actor_id = acting.add(image="me/wc:1", defaultEnvironment={"PATH": "/elsewhere"})
        execution = acting.run(actor_id, "hello", DOCKER_HOST="tcp://elsewhere")
        log = acting.log(execution)
    verbs = told.read_text().split()
    assert [verb for verb in verbs if verb != "info"] == ["image", "pull", "run", "rm"]
    assert "MSG is hello\n" in log
    assert f"--name agavepy-{execution['id']} " in log
    assert ":/_abaco_results.sock " in log
    assert "--env DOCKER_HOST=tcp://elsewhere " in log
    assert log.splitlines()[0].endswith(" me/wc:1")


def test_fetching_an_image_is_broken_off_with_the_tenant() -> None:
    fetches, said = Fetches(), []
    fetching = threading.Thread(target=lambda: said.append(fetches.run(["sleep", "600"])))
    fetching.start()
    fetches.break_off()
    fetching.join(10)
    assert said[0] in ("it ended with -9", "the tenant was stopped")
    assert fetches.run(["true"]) == "the tenant was stopped"


@pytest.mark.skipif(ENGINE is None, reason="needs Docker or Podman")
def test_an_image_of_an_engine_runs_in_a_container() -> None:
    with Sandbox() as tenant, Http(tenant) as http:
        acting = Acting(tenant, http)
        actor_id = acting.add(image=SMALL_IMAGE)
        assert acting.get(actor_id)["status"] in ("READY", "ERROR")  # the latter where no registry can be reached
        if acting.get(actor_id)["status"] == "READY":
            assert acting.run(actor_id)["exitCode"] == 0
