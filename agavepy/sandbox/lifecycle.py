"""The statuses a job goes through, PENDING to FINISHED, and which of them are the end."""

from __future__ import annotations

FINAL = ("FINISHED", "FAILED", "STOPPED", "KILLED")
ON_THE_SYSTEM = ("QUEUED", "RUNNING", "PAUSED")  # there is, or was, a process
AFTER_THE_RUN = ("CLEANING_UP", "ARCHIVING", "ARCHIVING_FINISHED", "ARCHIVING_FAILED")
BEFORE_THE_RUN = ("PENDING", "PROCESSING_INPUTS", "STAGING_INPUTS", "STAGED", "STAGING_JOB", "SUBMITTING")
EVENTS = (
    *(*BEFORE_THE_RUN, *ON_THE_SYSTEM, *AFTER_THE_RUN, *FINAL),
    *("CREATED", "UPDATED", "DELETED", "RESTORED", "HEARTBEAT", "PERMISSION_GRANT", "PERMISSION_REVOKE"),
)  # that the tenant itself tells of a job


def is_final(status: str) -> bool:
    """Return whether a job with this status is over."""
    return status in FINAL


class JobEnded(Exception):
    """The job has reached a final status, by somebody else's doing: there is nothing left to do with it."""
