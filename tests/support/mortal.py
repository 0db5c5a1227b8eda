"""A run that is killed at the n-th of the moments before and after each line of its journal and each publication, and resumed as often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import Run
from upgrader.engine.results import Outcome
from upgrader.journal.journal import Journal, read_journal
from upgrader.plan.step import Call, Step

NEVER = 10**6


class Killed(BaseException):
    """Nobody catches it: the process is gone."""


class Mortal:
    """One run, and how many moments it has left."""

    def __init__(self, run: Run, patch: pytest.MonkeyPatch) -> None:
        self.run, self.left = run, -1
        append, submit = Journal.append_all, run.salt.submit

        def mortal_append(journal: Journal, bodies: Any) -> Any:
            self._moment()
            records = append(journal, bodies)
            self._moment()
            return records

        def mortal_submit(call: Call, jid: str) -> None:
            self._moment()
            submit(call, jid)
            self._moment()

        patch.setattr(Journal, "append_all", mortal_append)
        run.salt.submit = mortal_submit  # type: ignore[method-assign]

    def _moment(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed

    def until_killed(self, moment: int) -> Outcome | None:
        """What the run came to; None when it was killed at that moment. A negative one never comes."""
        self.left = moment
        try:
            if self.run.path.exists() and read_journal(self.run.path):
                return self.run.resume()
            self.run.path.unlink(missing_ok=True)
            return self.run.start()
        except Killed:
            return None

    def moments(self) -> int:
        """How many there are in the whole run, which is done by this."""
        assert self.until_killed(NEVER) is not None
        return NEVER - self.left


class Worked(Mortal):
    """A run of these steps whose effects are counted: each does well, on every node."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, steps: Sequence[Step]) -> None:
        super().__init__(Run(folder, tuple(steps)), patch)
        self.run.salt.answer = self._done
        self.effects: Counter[tuple[str, str]] = Counter()

    def _done(self, call: Call, node: str) -> Mapping[str, Any]:
        self.effects[call.function, node] += 1
        return {"return": {"load": {"n1": 2.0, "n2": 1.0}.get(node, 0)}, "retcode": 0}


def moments(folder: Path, steps: Sequence[Step]) -> int:
    """How many a run of these steps has."""
    with pytest.MonkeyPatch.context() as patch:
        return Worked(folder, patch, steps).moments()
