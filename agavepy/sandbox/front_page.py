"""``/`` and ``/docs/SERVICE.yaml``: a tenant for whoever comes by. Sums only: names are their owners' to tell."""

from __future__ import annotations

import collections
from pathlib import Path

from .. import specs
from . import lifecycle, pages
from .answers import Answer
from .api import NotFound
from .routing import Routes
from .state import State

_DOCUMENTS = "docs/"
_SAMPLE = """\
from agavepy.agave import Agave

url = "{url}"
ag = Agave(
    api_server=url,
    username="…",
    password="…",
    api_key="…",
    api_secret="…",
)
print(ag.profiles.get().username)"""


class FrontPage:
    """The page and the documents, open to everybody."""

    def __init__(self, state: State, routes: Routes) -> None:
        self._state = state
        self._documents = {name: document() for name, document in specs.catalog().items()}
        self._declared: collections.Counter[str] = collections.Counter()
        self._served: collections.Counter[str] = collections.Counter()
        for each in routes.operations():
            service, _, name = each.name.partition(".")
            self._declared[service] += 1
            self._served[service] += callable(getattr(state.services.get(service), name, None))

    def is_at(self, path: str) -> bool:
        """Return whether a path, without its leading slash, is one of these."""
        return path == "" or path.startswith(_DOCUMENTS)

    def answer(self, path: str, *, base_url: str) -> Answer:
        """Return the page or a document; :raises NotFound: there is no such document."""
        if path == "":
            return self._page(base_url)
        name = path.removeprefix(_DOCUMENTS).removesuffix(".yaml")
        if not path.endswith(".yaml") or name not in self._documents:
            known = ", ".join(f"{each}.yaml" for each in self._documents)
            raise NotFound(f"No document '{path[:80]}'. There are {known} in /{_DOCUMENTS}.")
        # As text: browsers show it instead of filing it away.
        return Answer(200, Path(self._documents[name].source).read_bytes(), media_type="text/yaml; charset=utf-8")

    def _page(self, base_url: str) -> Answer:
        return pages.glance(
            f"Tenant {self._state.tenant_id}",
            figures=self._figures(),
            services=[self._service(name) for name in sorted(self._documents)],
            sample=_SAMPLE.format(url=base_url),
        )

    def _figures(self) -> list[tuple[str, int, str]]:
        count = self._state.store.counts
        jobs = count("job", "status")
        final = {status: number for status, number in jobs.items() if lifecycle.is_final(status)}
        running = sum(jobs.values()) - sum(final.values())
        told = [f"{number:,} {status.lower()}" for status, number in final.items()]
        return [
            ("users", sum(count("user", "name").values()), ""),
            ("systems", sum(count("system", "id").values()), ""),
            ("apps", sum(count("app", "id").values()), ""),
            ("jobs", sum(jobs.values()), ", ".join([*([f"{running:,} under way"] if running else []), *told])),
            ("files", count("file", "deleted").get(0, 0), "and folders with a history"),
        ]

    def _service(self, name: str) -> tuple[str, str, str, str]:
        declared, served = self._declared[name], self._served[name]
        operations = f"{declared} operations" if served == declared else f"{served} of {declared} operations"
        about = str(self._documents[name].raw.get("info", {}).get("description", ""))
        return name, f"/{_DOCUMENTS}{name}.yaml", operations, about
