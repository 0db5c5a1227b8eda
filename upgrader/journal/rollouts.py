"""What the runs of the data plane say of nodes: who was asked and what would change there, who is upgraded, who was taken back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from upgrader.journal.batches import subjects, well
from upgrader.journal.progress import FINISHED, RunProgress
from upgrader.journal.step_fold import SETTLED
from upgrader.plan.step import Step

PART, TEST, SAMPLE, ALL, ROLLBACK = "data-plane", "test", "sample", "all", "rollback"
RECORD, DIFFERENCE, UPGRADE = "upgrader_package.record", "upgrader_package.difference", "upgrader_package.upgrade"
DISABLE, ENABLE = "upgrader_agents.disable", "upgrader_agents.enable"
CLOSED = "data-plane-closed"


@dataclass(frozen=True)
class Shown:
    """What a node said that an upgrade would change there: by which run it was asked, and including which packages."""

    run: str
    digest: str
    include: tuple[str, ...]


@dataclass
class Rollouts:
    """Folded from a cloud's runs, the oldest first.

    ``tested`` is the newest run whose test was meant for a node, ``shown`` what the node said, ``kept`` the run under which its
    package sources of before are kept (the first that asked since it was upgraded or taken back last), ``upgraded`` the run
    that took it to the target, ``cut`` the run that took it out of service and was cut before it put it back, ``sampled`` the
    newest sample that passed, ``closed`` whether the controllers were told that no compute is left.
    """

    tested: dict[str, str] = field(default_factory=dict)

    shown: dict[str, Shown] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    upgraded: dict[str, str] = field(default_factory=dict)
    cut: dict[str, str] = field(default_factory=dict)
    sampled: RunProgress | None = None
    closed: bool = False

    def take(self, run: RunProgress) -> None:
        """One more run, younger than those before."""
        if run.plan.part != PART:
            return
        if run.stage == TEST:
            self._tested(run)
        elif run.stage in (SAMPLE, ALL):
            self._upgraded(run)
        elif run.stage == ROLLBACK:
            self._taken_back(run)
        for node, out in out_of_service(run).items():
            self.cut.pop(node, None)
            self.cut.update({node: run.run_id} if out else {})

    def _tested(self, run: RunProgress) -> None:
        self.tested.update(dict.fromkeys(run.plan.stages[0].target, run.run_id))
        for step in run.plan.steps():
            done = well(run, step.id)
            if step.call.function == RECORD:
                for node in done:
                    self.kept.setdefault(node, run.run_id)
            elif step.call.function == DIFFERENCE:
                include = tuple(step.call.args.get("include", ()))
                for node in done:
                    digest = _value(run, step, node).get("digest")
                    if digest:
                        self.shown[node] = Shown(run.run_id, str(digest), include)

    def _upgraded(self, run: RunProgress) -> None:
        for node in done_nodes(run):
            self.upgraded[node] = run.run_id
            self.kept.pop(node, None)
            self.shown.pop(node, None)
            self.closed = False
        if run.stage == SAMPLE and run.state == FINISHED:
            self.sampled = run
        self.closed = self.closed or (CLOSED in run.steps and run.steps[CLOSED].state in SETTLED)

    def _taken_back(self, run: RunProgress) -> None:
        for node in begun_nodes(run):
            for held in (self.upgraded, self.kept, self.shown):
                held.pop(node, None)
            self.closed = False


def rollouts(runs: Iterable[RunProgress]) -> Rollouts:
    """What a cloud's runs say, the oldest first."""
    found = Rollouts()
    for run in runs:
        found.take(run)
    return found


def done_nodes(run: RunProgress) -> tuple[str, ...]:
    """Nodes that did well in every step of their batch, but for what only closes it."""
    bad: set[str] = set()
    for step in run.plan.steps():
        if step.batch and not step.always and run.steps[step.id].state not in SETTLED:
            bad |= set(subjects(step)) - set(well(run, step.id))
    return tuple(node for node in run.plan.in_batches() if node not in bad)


def begun_nodes(run: RunProgress) -> dict[str, str]:
    """Nodes whose packages the run began to change, each with the run under which its sources of before are kept."""
    found: dict[str, str] = {}
    for step in run.plan.steps():
        if step.call.function in (UPGRADE, "upgrader_package.restore"):
            for node in _asked(run, step):
                found[node] = str(step.call.args.get("run", ""))
    return found


def _asked(run: RunProgress, step: Step) -> Iterator[str]:
    state = run.steps[step.id]
    in_jobs = {node for nodes in state.jobs.values() for node in nodes}
    known = {*state.replies, *in_jobs}
    yield from (node for node in step.call.nodes if state.state in SETTLED or node in known)


def _value(run: RunProgress, step: Step, node: str) -> Mapping[str, Any]:
    value = (run.steps[step.id].replies.get(node) or {}).get("value")
    return value if isinstance(value, Mapping) else {}


def approved(steps: Iterable[Step]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Node to the digest of its package difference that a plan holds, and the packages that were included."""
    return {
        node: (str(step.call.args["digest"]), tuple(step.call.args.get("include", ())))
        for step in steps
        if step.call.function == UPGRADE
        for node in step.call.nodes
    }


def out_of_service(run: RunProgress) -> dict[str, bool]:
    """Nodes that the run took out of service, and whether they are still: it was cut, or failed, before it put them back."""
    last: dict[str, bool] = {}
    for step in run.plan.steps():
        state = run.steps[step.id]
        if step.call.function == DISABLE and state.attempts:
            back = [run.steps[one.id] for one in run.plan.steps() if _closes(one, step)]
            done = all(one.state in SETTLED and one.attempts >= state.attempts for one in back)
            last.update(dict.fromkeys(step.about, not done))
    return last


def _closes(one: Step, step: Step) -> bool:
    return one.call.function == ENABLE and step.id in one.needs
