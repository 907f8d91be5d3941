"""What it costs to import agavepy, and to make a first call."""

from __future__ import annotations

from .canned import Canned
from .measure import process, ratio

_FIRST_CALL = """
import sys
from agavepy.agave import Agave
ag = Agave(api_server=sys.argv[1], token="t", verify=sys.argv[2])
assert ag.systems.get(systemId="nryan.storage").name == "disk"
"""
_FIRST_CALL_OF_REQUESTS = """
import sys
import requests
session = requests.Session()
session.headers["Authorization"] = "Bearer t"
response = session.get(sys.argv[1] + "/systems/v2/nryan.storage", timeout=(10, 60), verify=sys.argv[2])
response.raise_for_status()
assert response.json()["result"]["name"] == "disk"
"""


def import_alone() -> float:
    """Return process time of the import over that of ``import requests``."""
    return ratio(process("from agavepy.agave import Agave"), process("import requests"), rounds=15)


def first_call(server: Canned) -> float:
    """Return process time of import, client and first call over the same with requests."""
    return ratio(process(_FIRST_CALL, *server), process(_FIRST_CALL_OF_REQUESTS, *server), rounds=10)
