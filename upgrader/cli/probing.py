"""``upgrader preflight --deep``: live rows, read page by page on the backup node, judged by the upgrade node's code.

The upgrade node has no account on the live databases and gets none: each page is carried there. What may hold passwords is
judged where it is read. Nothing is written anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from upgrader_node.probe import kinds, packing, told
from upgrader_node.probe.kind import Kind

from upgrader.cli.questions import asked, question, readiness, refuse_failed
from upgrader.cli.settings import modules_digest
from upgrader.cloud.cloud import BACKUP, UPGRADE, Cloud, Service
from upgrader.errors import Refused, UpgradeError
from upgrader.plan.blocks.probe import has_kinds
from upgrader.plan.blocks.schemas import release
from upgrader.plan.step import MINUTE, Call
from upgrader.report.probing import ProbeProgress
from upgrader.transport.base import Patience, Transport
from upgrader.transport.collect import collect

LISTED = 1000
"""How many rows each finding names."""
PATIENCE = 10 * MINUTE
"""Seconds for one page, read or judged."""
Found = list[Mapping[str, Any]]


@dataclass(frozen=True)
class Probe:
    """The two nodes of a deep preflight: one has the account, the other the code."""

    transport: Transport
    cloud: Cloud

    @property
    def reader(self) -> str:
        return self.cloud.role(BACKUP)[0]

    @property
    def judge(self) -> str:
        return self.cloud.role(UPGRADE)[0]

    def services(self) -> list[Service]:
        return [service for service in self.cloud.services if has_kinds(self.cloud, service.name)]

    def demand_code(self) -> None:
        """Refused, with what is missing, where the upgrade node has not the code of every service that is to judge."""
        if not self.services():
            raise Refused(
                f"--deep knows the rows of {kinds.SOURCE} and the cloud is at {self.cloud.path.source}: ask without it"
            )
        needed = [s.name for s in self.services() if not all(kind.secret for kind in kinds.of_service(s.name))]
        refuse_failed(asked(self.transport, readiness((self.reader, self.judge), modules_digest())))
        for service in needed:
            title = f"upgrade node has the code of {service} that judges its rows"
            step = question(f"code-{service}", title, "upgrader_probe.ready", (self.judge,), **self._of(service))
            replies = asked(self.transport, (step,))
            if not replies[self.judge].ok:
                raise Refused(f"--deep needs the upgrade node's own code: {self.judge}: {replies[self.judge].error}")

    def ask(self) -> tuple[Found, dict[str, int], UpgradeError | None]:
        """Findings of all kinds, how many rows of each were probed, by ``service.kind``, and why it broke off, if it did.

        What was found before is found: the caller tells it first.
        """
        found: list[dict[str, Any]] = []
        rows: dict[str, int] = {}
        broken: UpgradeError | None = None
        with closing(ProbeProgress()) as progress:
            try:
                for service in self.services():
                    self._service(service, progress, found, rows)
            except UpgradeError as error:
                broken = error
        return list(told.together(found, LISTED)), rows, broken

    def _service(
        self, service: Service, progress: ProbeProgress, found: list[dict[str, Any]], rows: dict[str, int]
    ) -> None:
        """Pages are judged as many at once as one call may carry: the code takes seconds to start. Judged rows are counted."""
        load: list[dict[str, str]] = []
        read: Counter[str] = Counter()
        for kind, page in self._pages(service, progress):
            if sum(len(one["packed"]) for one in [*load, page]) > packing.LIMIT:
                found += self._judged(service, load)
                _add(rows, read)
                load, read = [], Counter()
            found += page["findings"]
            load += [{"kind": kind.id, "packed": page["packed"]}] if page["packed"] else []
            read[f"{service.name}.{kind.id}"] += int(page["rows"])
        found += self._judged(service, load)
        _add(rows, read)

    def _pages(self, service: Service, progress: ProbeProgress) -> Iterator[tuple[Kind, Mapping[str, Any]]]:
        for kind in kinds.of_service(service.name):
            what = f"{service.name}.{kind.subject} ({kind.id})"
            place = {"service": service.name, "kind": kind.id, "databases": list(service.source_databases)}
            page = self._call(self.reader, "upgrader_probe.page", {**place, "counted": True})
            total, done = int(page["total"]), int(page["rows"])
            progress.begun(what, total)
            yield kind, page
            while page["more"]:
                page = self._call(self.reader, "upgrader_probe.page", {**place, "after": page["after"]})
                done += int(page["rows"])
                progress.at(what, done, total)
                yield kind, page

    def _judged(self, service: Service, pages: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        if not pages:
            return []
        args = {"databases": list(service.source_databases), "pages": list(pages), **self._of(service.name)}
        return list(self._call(self.judge, "upgrader_probe.judge", args)["findings"])

    def _call(self, node: str, function: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """One answer. A finding is no failure here, but an answer without findings is none."""
        call, jid = Call("module", function, (node,), dict(args), PATIENCE), self.transport.new_job_id()
        self.transport.submit(call, jid)
        reply = collect(self.transport, call, jid, Patience())[node]
        if not reply.ok and not isinstance(reply.value, Mapping):
            refuse_failed({node: reply})
        if not isinstance(reply.value, Mapping) or not isinstance(reply.value.get("findings"), Sequence):
            raise Refused(f"{node} answered {function} without findings; see 'salt {node} {function}'")
        return reply.value

    def _of(self, service: str) -> dict[str, Any]:
        return {"service": service, **release(self.cloud)}


def _add(rows: dict[str, int], read: Mapping[str, int]) -> None:
    """Kinds without rows are named as well."""
    for name, number in read.items():
        rows[name] = rows.get(name, 0) + number
