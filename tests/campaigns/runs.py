"""Clients that have something run, by jobs and by actors, and know what has to come to an end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..sandbox.acting import SHELL
from .writers import STORAGE, Api, World, Writer, app

OVER = ("FINISHED", "FAILED", "STOPPED", "COMPLETE", "ERROR")
_MOST_AT_A_TIME = 8
_SCRIPT = "cat data > copy\nsleep ${seconds}\necho ${AGAVE_JOB_NAME} > name\n"
_ACTOR = 'cat "${_abaco_binary_data_file:-/dev/null}"; echo "$MSG"; sleep "${PAUSE:-0}"; echo done'
_PATIENCE_S = 60


class Runs(Writer):
    """
    What is begun and has to come to an end; ``known`` has the last status that was seen, by the id.

    What nobody has acknowledged may be there or not. What is over once stays as it is.
    """

    def check(self) -> None:
        for name, found in self.seen().items():
            self.note(name, found)

    def note(self, name: str, found: str) -> None:
        """Take notice of a status."""
        before = self.known.get(name)
        assert before not in OVER or before == found, f"{name} was {before}, and is {found} now"
        self.known[name] = found

    def began(self, name: str) -> None:
        self.known.setdefault(name, "")
        self.acknowledged += 1

    @property
    def left(self) -> list[str]:
        """What is not over yet, as far as is known."""
        return sorted(name for name, status in self.known.items() if status not in OVER)

    def wait(self) -> None:
        """Return when all is over."""
        end = time.monotonic() + _PATIENCE_S
        while self.left:
            assert time.monotonic() < end, f"{len(self.left)} are not over: {self.left[:5]}"
            time.sleep(0.1)
            self.check()

    def seen(self) -> World:
        over = sorted(self.known.keys() - set(self.left))
        again = self.dice.sample(over, min(5, len(over)))  # the others at the end
        return {**self.listed(), **{name: self.status_of(name) for name in (*self.left, *again)}}

    def listed(self) -> World:
        """Return the latest that there are, among them those that nobody has acknowledged."""
        raise NotImplementedError

    def status_of(self, name: str) -> str:
        raise NotImplementedError

    def check_end(self, name: str) -> None:
        """Look at how something has ended."""
        raise NotImplementedError


class Jobs(Runs):
    """Submits jobs and stops some; each tells ``hook`` of its end."""

    def __init__(self, api: Api, friend: str, seed: str, hook: str, told: Callable[[], Sequence[str]]) -> None:
        super().__init__(api, friend, seed)
        self._hook = hook
        self._told = told
        self.archived: set[str] = set()  # those that have left nothing but their archives

    @property
    def actions(self) -> list[Callable[[], None]]:
        adding = [self.submit] if len(self.left) < _MOST_AT_A_TIME else []
        return adding + ([*[self.look] * 9, self.stop] if self.left else []) or [self.check]

    def prepare(self) -> None:
        home = f"files/v2/media/system/{STORAGE}/{self.api.user}"
        self.api("PUT", home, json={"action": "mkdir", "path": "app"})
        for place, name, text in ((f"{home}/app", "run.sh", _SCRIPT), (home, "data", "the input")):
            self.api("POST", place, files={"fileToUpload": (name, text.encode())})
        self.api("POST", "apps/v2/", json=app(self.api.user, f"run{self.api.user}"))

    def submit(self) -> None:
        told = f"{self._hook}/${{JOB_ID}}/${{EVENT}}"
        body = {
            "name": self.new_name(),
            "appId": f"run{self.api.user}-1.0",
            "parameters": {"seconds": self.dice.choice(("0", "0", "0.3", "2"))},
            "inputs": {"data": f"agave://{STORAGE}/{self.api.user}/data"},
            "archive": self.dice.random() < 0.7,
            "notifications": [{"url": told, "event": event} for event in ("FINISHED", "FAILED", "STOPPED")],
        }
        self.began(self.api("POST", "jobs/v2/", json=body)["id"])

    def stop(self) -> None:
        job_id = self.dice.choice(self.left)
        answer = self.api.answer("POST", f"jobs/v2/{job_id}", json={"action": "stop"})
        assert answer.status_code in (200, 400), answer.text  # 400: it is over already
        if answer.status_code == 200:
            self.note(job_id, "STOPPED")

    def look(self) -> None:
        job_id = self.dice.choice(self.left)
        self.note(job_id, self.status_of(job_id))

    def listed(self) -> World:
        return {each["id"]: each["status"] for each in self.api("GET", "jobs/v2/", params={"limit": 10})}

    def status_of(self, name: str) -> str:
        return str(self.api("GET", f"jobs/v2/{name}/status")["status"])

    def check_end(self, name: str) -> None:
        job = self.api("GET", f"jobs/v2/{name}")
        assert job["status"] == self.known[name]
        assert f"/{name}/{job['status']}" in self._told(), f"nobody was told that {name} is {job['status']}"
        statuses = [event["status"] for event in self.api("GET", f"jobs/v2/{name}/history")]
        assert [status for status in statuses if status in OVER] == [job["status"]], statuses
        if job["status"] == "FINISHED":
            outputs = {each: self._output(name, each) for each in ("name", "data", "copy")}
            assert outputs == {"name": f"{job['name']}\n", "data": "the input", "copy": "the input"}
            self.archived |= {name} if job["archive"] else set()
        if job["status"] == "FAILED":
            assert "The tenant was stopped" in job["message"], job["message"]

    def _output(self, job_id: str, name: str) -> str:
        answer = self.api.answer("GET", f"jobs/v2/{job_id}/outputs/media/{name}")
        assert answer.ok, f"{job_id}: {answer.text}"
        return answer.text


class Messages(Runs):
    """Sends messages of text and of bytes to an actor, and changes its state."""

    _actor_id = ""

    @property
    def actions(self) -> list[Callable[[], None]]:
        adding = [self.send, self.send, self.send_bytes] if len(self.left) < _MOST_AT_A_TIME else []
        return [*adding, self.remember] if adding else [self.check]

    def prepare(self) -> None:
        body = {"image": SHELL, "name": f"busy-{self.api.user}", "defaultEnvironment": {"SCRIPT": _ACTOR}}
        self._actor_id = self.api("POST", "actors/v2", json={**body, "stateless": False})["id"]
        self._state = self._doubted_state = None

    def _address(self, part: str) -> str:
        return f"actors/v2/{self._actor_id}/{part}"

    def send(self) -> None:
        pause = self.dice.choice(("0", "0", "0.2", "1"))
        path = self._address(f"messages?PAUSE={pause}")
        self.began(self.api("POST", path, json={"message": f"message of {self.api.user}"})["executionId"])

    def send_bytes(self) -> None:
        headers = {"content-type": "application/octet-stream"}
        data = f"message of {self.api.user}".encode()
        self.began(self.api("POST", self._address("messages"), data=data, headers=headers)["executionId"])

    def remember(self) -> None:
        self._doubted_state = {"number": self.dice.randrange(1000)}
        self.api("POST", self._address("state"), json=self._doubted_state)
        self._state = self._doubted_state
        self.acknowledged += 1

    def check(self) -> None:
        state = self.api("GET", self._address("state"))["state"]
        assert (state or None) in (self._state, self._doubted_state), f"{state}, not {self._state}"
        self._state = self._doubted_state = state or None
        super().check()

    def listed(self) -> World:
        listed = self.api("GET", self._address("executions"), params={"limit": 250})["executions"]
        return {each["id"]: each["status"] for each in listed}

    def status_of(self, name: str) -> str:
        return str(self.api("GET", self._address(f"executions/{name}"))["status"])

    def check_end(self, name: str) -> None:
        log = self.api("GET", self._address(f"executions/{name}/logs"))["logs"]
        if self.known[name] == "COMPLETE":
            assert log == f"message of {self.api.user}\ndone\n"
        else:
            assert "The tenant was stopped" in log, log
