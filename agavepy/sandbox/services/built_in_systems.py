"""The two systems every tenant has from its first start."""

from __future__ import annotations

from typing import Any

BUILT_IN: tuple[dict[str, Any], ...] = (
    {
        "id": "sandbox-storage",
        "name": "Sandbox storage",
        "type": "STORAGE",
        "description": "The tenant's own disk. Every user has a folder below /home.",
        "storage": {
            "protocol": "LOCAL",
            "host": "localhost",
            "rootDir": "/",
            "homeDir": "/home",
            "publicAppsDir": "/apps",
            "auth": {"type": "LOCAL"},
        },
    },
    {
        "id": "sandbox-exec",
        "name": "Sandbox execution",
        "type": "EXECUTION",
        "description": "Runs jobs as processes of the machine the tenant is on.",
        "executionType": "CLI",
        "scheduler": "FORK",
        "scratchDir": "/scratch/",
        "queues": [{"name": "default", "default": True}],
        "login": {"protocol": "LOCAL", "host": "localhost", "auth": {"type": "LOCAL"}},
        "storage": {
            "protocol": "LOCAL",
            "host": "localhost",
            "rootDir": "/",
            "homeDir": "/home",
            "auth": {"type": "LOCAL"},
        },
    },
)
