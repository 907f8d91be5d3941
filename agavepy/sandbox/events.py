"""What happens in the tenant, told to whoever listens: a service publishes in one line, and knows no listener.

self.state.events.publish(self._subject(item), "UPDATED", by=call.user)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from .api import Call


@dataclasses.dataclass(frozen=True)
class Subject:
    """A resource that events are about: how it is addressed and shown, and to whom."""

    uuid: str
    address: str  # of its own link, without a leading slash
    allows: Callable[[str], bool]  # whether a user may read it
    show: Callable[[Call], dict[str, Any]]  # the resource as its service shows it, for the user of the call

    def beside(self, other: Subject, *, own: str, named: str) -> Subject:
        """Return the same resource for an event of another one, told to those who may read both, and of both."""
        return dataclasses.replace(
            self,
            allows=lambda user: self.allows(user) and other.allows(user),
            show=lambda call: {named: other.show(call), own: self.show(call)},
        )


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that has happened to a subject."""

    subject: Subject
    name: str  # FINISHED, CREATED, PERMISSION_GRANT
    by: str  # the user who caused it
    macros: Mapping[str, str]  # what the resource itself does not say: whose permission it was, for instance


class Events:
    """The hub between those who publish and those who listen."""

    def __init__(self) -> None:
        self._listeners: list[tuple[Callable[[Event], None], Callable[[], bool]]] = []

    def listen(self, heard: Callable[[Event], None], *, cares: Callable[[], bool] = lambda: True) -> None:
        """
        Have ``heard`` called with every event, in the publisher's thread and transaction.

        :param cares: whether it makes use of any; asked often.
        """
        self._listeners.append((heard, cares))

    def are_heard(self) -> bool:
        """Return whether anybody cares: for those to whom a subject is work."""
        return any(cares() for _, cares in self._listeners)

    def publish(self, subject: Subject, name: str, *, by: str, macros: Mapping[str, str] | None = None) -> None:
        """Tell the listeners. Inside of a transaction: if that fails, nothing has happened."""
        event = Event(subject, name, by, macros or {})
        for heard, _ in self._listeners:
            heard(event)
