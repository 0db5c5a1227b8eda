"""What every page is made from: journals, approvals and kept plans of one state folder."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from upgrader.journal.approvals import APPROVED, WAITING, Approval, Approvals
from upgrader.journal.archive import Archive
from upgrader.journal.plans import Shelf
from upgrader.serve.journals import Journals, Summary

KEPT = 32
"""Parts of pages that are kept."""


@dataclass
class State:
    """One folder, and the clock. ``lock`` is for whoever reads or decides: requests come from several threads."""

    root: Path
    clock: Callable[[], str]
    may_approve: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.journals = Journals(Archive(self.root))
        self._made: OrderedDict[Hashable, Mapping[str, str]] = OrderedDict()
        self.approvals, self.shelf = Approvals(self.root), Shelf(self.root)

    def once(self, version: Hashable, make: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
        """What was made of this version before, else made now: of a thousand nodes it takes its time, and mostly nothing is new."""
        made = self._made.pop(version, None) or make()
        self._made[version] = made
        while len(self._made) > KEPT:
            self._made.popitem(last=False)
        return made

    def clouds(self) -> list[str]:
        """Clouds with a journal or a plan that was asked about."""
        asked = [path.parent.name for path in self.root.glob("*/approvals") if path.is_dir()]
        return sorted({*self.journals.archive.clouds(), *asked})

    def plans(self, cloud: str, runs: Sequence[Summary], now: str) -> tuple[list[Approval], list[str]]:
        """Plans that wait, or were approved and not run since; and a sentence for each approval that cannot be read."""
        asked, unreadable = self.approvals.of(cloud)
        begun = {(run.digest, run.started_at) for run in runs}
        return [one for one in asked if one.state(now) in (WAITING, APPROVED) and not _used(one, begun)], unreadable


def _used(one: Approval, begun: set[tuple[str, str]]) -> bool:
    return any(digest == one.digest and at >= one.asked_at for digest, at in begun)
