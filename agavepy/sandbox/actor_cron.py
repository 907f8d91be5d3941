"""Actors that run by the clock: schedules such as ``2030-01-01 08 + 1 day`` or ``now + 2 weeks``, in UTC."""

from __future__ import annotations

import calendar
import datetime
import re

from .api import BadRequest
from .fields import shown

MESSAGE = "This is your cron execution"

_SCHEDULE = re.compile(r"\s*(now|\d{4}-\d\d-\d\d \d\d)\s*\+\s*(\d{1,4})\s*(hour|day|week|month)s?\s*")
_HOUR = "%Y-%m-%d %H"


def first(schedule: str, *, now: float) -> str:
    """
    Return the hour of a schedule's first run, as ``2030-01-01 08``.

    :raises BadRequest: it is no schedule, or begins in the past.
    """
    start, _, _ = _read(schedule)
    this_hour = _moment(now).strftime(_HOUR)
    if start == "now":
        return this_hour
    try:
        datetime.datetime.strptime(start, _HOUR)
    except ValueError:
        raise _refusal(schedule) from None
    if start < this_hour:
        raise BadRequest(f"The schedule {shown(schedule)} begins in the past: it is {this_hour} o'clock UTC.")
    return start


def is_due(hour: str, *, now: float) -> bool:
    """Return whether an hour has come."""
    return _moment(now).strftime(_HOUR) >= hour


def following(schedule: str, hour: str, *, now: float) -> str:
    """Return the hour of the first run after ``hour`` that is still to come: those missed are not made up for."""
    _, number, unit = _read(schedule)
    moment = datetime.datetime.strptime(hour, _HOUR).replace(tzinfo=datetime.timezone.utc)
    while moment <= _moment(now):
        moment = _later(moment, number, unit)
    return moment.strftime(_HOUR)


def _read(schedule: str) -> tuple[str, int, str]:
    found = _SCHEDULE.fullmatch(schedule)
    if not found or int(found[2]) == 0:
        raise _refusal(schedule)
    return found[1], int(found[2]), found[3]


def _refusal(schedule: str) -> BadRequest:
    return BadRequest(f"{shown(schedule)} is no schedule. Write 'yyyy-mm-dd hh + N hours', days, weeks or months.")


def _later(moment: datetime.datetime, number: int, unit: str) -> datetime.datetime:
    if unit != "month":
        return moment + datetime.timedelta(**{f"{unit}s": number})
    months = moment.month - 1 + number
    year, month = moment.year + months // 12, months % 12 + 1
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))


def _moment(now: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(now, datetime.timezone.utc)
