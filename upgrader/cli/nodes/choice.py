"""Which nodes a stage is for, and which stage comes next: from the operator's words and from what earlier runs say of the nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from upgrader_node.host.findings import some

from upgrader.cli.nodes.words import Words
from upgrader.cloud.cloud import Cloud
from upgrader.cloud.roles import COMPUTE
from upgrader.cloud.target import named
from upgrader.errors import Refused, UsageError
from upgrader.journal.archive import UNSETTLED, Archive
from upgrader.journal.progress import RunProgress
from upgrader.journal.rollouts import ALL, ROLLBACK, SAMPLE, TEST, Rollouts, begun_nodes, rollouts
from upgrader.plan.data_plane import in_order
from upgrader.plan.options import Rollout
from upgrader.report.wording import node_list, short


@dataclass(frozen=True)
class Chosen:
    """A stage, what it goes over, and what the operator has to hear before: nodes that are ignored, and why."""

    stage: str
    rollout: Rollout
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """The nodes that the words name (``target``, in order), and what earlier runs say of them."""

    cloud: Cloud
    archive: Archive
    target: tuple[str, ...]
    words: Words
    past: Rollouts = field(default_factory=Rollouts)

    @property
    def left(self) -> tuple[str, ...]:
        """Nodes of the target that are not at the target release."""
        return tuple(node for node in self.target if node not in self.past.upgraded)

    @property
    def listed(self) -> tuple[str, ...]:
        """Of those the ones that a test was meant for: a node that appeared since is not taken in by the way."""
        return tuple(node for node in self.left if node in self.past.tested)

    def shown(self, node: str) -> bool:
        """Whether it was seen what would change on a node, with the packages that are included now."""
        found = self.past.shown.get(node)
        return found is not None and set(found.include) == set(self.words.include)


def known(cloud: Cloud, archive: Archive, target: Sequence[str], words: Words) -> Known:
    """What the journals of this cloud say by now."""
    past = rollouts(reversed(list(archive.newest_first(cloud.name))))
    return Known(cloud, archive, in_order(cloud, target), words, past)


def chosen(of: Known) -> Chosen | None:
    """The stage that was asked for, or the one that comes next; None when every node of the target is at the target release."""
    stage = of.words.stage or _next(of)
    return _MADE[stage](of) if stage else None


def _next(of: Known) -> str:
    """test until it was seen what would change, sample until one has passed, then all."""
    if not of.left:
        return ALL if _to_close(of, ()) else ""
    if not of.listed or not any(of.shown(node) for node in of.listed):
        return TEST
    sampled = of.past.sampled
    if sampled is None or not set(sampled.plan.in_batches()) & set(of.target) & set(of.past.upgraded):
        return SAMPLE
    return ALL if all(of.shown(node) for node in of.listed) else TEST


def _test(of: Known) -> Chosen:
    """All nodes of the target that are left, or those that were named; of a target that was tested in part, the rest."""
    words = of.words
    nodes = _some_of(words.test_nodes, of.left, "--test-nodes") if words.test_nodes else of.left
    if not words.stage and of.past.sampled is not None:
        nodes = tuple(node for node in of.listed if not of.shown(node)) or nodes
    if not nodes:
        raise UsageError(
            f"every node of --target {words.target!r} is at {of.cloud.path.target.capitalize()}: there is nothing to test"
        )
    return Chosen(TEST, _rollout(of, nodes), tuple(_done(of)))


def _sample(of: Known) -> Chosen:
    seen = tuple(node for node in of.listed if of.shown(node))
    wanted = of.words.sample
    nodes = _some_of(wanted, of.listed, "--sample") if not wanted.isdecimal() else seen[: int(wanted)]
    _require_shown(of, nodes or of.listed[:1])
    return Chosen(SAMPLE, _rollout(of, nodes), (*_done(of), *_ignored(of), *_cut(of, nodes)))


def _all(of: Known) -> Chosen:
    closes = _to_close(of, of.listed)
    if of.listed or not closes:
        _require_shown(of, of.listed)
    return Chosen(
        ALL, replace(_rollout(of, of.listed), closes=closes), (*_done(of), *_ignored(of), *_cut(of, of.listed))
    )


def _rollback(of: Known) -> Chosen:
    """The nodes of one run whose packages it began to change; the newest run that did, where none is named."""
    run = of.archive.find(of.words.run) if of.words.run else _newest(of)
    if (run.plan.part, run.plan.cloud) != ("data-plane", of.cloud.name) or run.stage not in (SAMPLE, ALL):
        raise UsageError(
            f"run {run.run_id} is of {run.plan.part} {run.stage}: name one of data-plane sample or all with --run"
        )
    begun = begun_nodes(run)
    nodes = in_order(of.cloud, [node for node in of.target if node in begun])
    if not nodes:
        raise Refused(
            f"run {run.run_id} changed no package of --target {of.words.target!r}: there is nothing to take back"
        )
    _refuse_half_way(of, run)
    kept, cut = (
        {node: begun[node] for node in nodes},
        {node: of.past.cut[node] for node in of.past.cut if of.past.cut[node] == run.run_id},
    )
    return Chosen(
        ROLLBACK, replace(_rollout(of, nodes), run=run.run_id, kept=kept, cut={**cut, **_cut_among(of, nodes)})
    )


def _refuse_half_way(of: Known, run: RunProgress) -> None:
    """A run that another one would leave behind keeps hosts out of service: it has to be the one that is taken back."""
    last = next((one for one in of.archive.newest_first(of.cloud.name) if (one.plan.part, one.stage) in UNDONE), None)
    if last is not None and last.state in UNSETTLED and last.changed() and last.run_id != run.run_id:
        raise Refused(
            f"run {last.run_id} ({last.stage}) stands half way: 'upgrader resume {last.run_id}', or take that back first"
        )


UNDONE = (("data-plane", SAMPLE), ("data-plane", ALL), ("data-plane", ROLLBACK))


def _cut_among(of: Known, nodes: Sequence[str]) -> dict[str, str]:
    return {node: of.past.cut[node] for node in nodes if node in of.past.cut}


_MADE = {TEST: _test, SAMPLE: _sample, ALL: _all, ROLLBACK: _rollback}


def _newest(of: Known) -> RunProgress:
    for run in of.archive.newest_first(of.cloud.name):
        if run.plan.part == "data-plane" and run.stage in (SAMPLE, ALL) and set(begun_nodes(run)) & set(of.target):
            return run
    raise UsageError(f"no run has changed a package of --target {of.words.target!r}; 'upgrader history' lists the runs")


def _rollout(of: Known, nodes: Sequence[str]) -> Rollout:
    words = of.words
    shown: Mapping[str, str] = {node: of.past.shown[node].digest for node in nodes if of.shown(node)}
    kept = {node: of.past.kept[node] for node in nodes if node in of.past.kept}
    return Rollout(
        of.target, tuple(nodes), shown, kept, words.batch, words.max_failures, words.include, words.allow,
        words.repair_dvr_routes, words.evacuate, words.restart_openvswitch, words.beyond, words.instances, cut=_cut_among(of, nodes),
    )  # fmt: skip


def _to_close(of: Known, nodes: Sequence[str]) -> bool:
    """Whether no compute of the cloud is left behind these, and the controllers were not told so yet."""
    computes = set(of.cloud.role(COMPUTE))
    return (
        bool(computes)
        and computes <= {*of.past.upgraded, *nodes}
        and not (of.past.closed and not computes & set(nodes))
    )


def _some_of(said: str, nodes: Sequence[str], option: str) -> tuple[str, ...]:
    """So many of the nodes, or those of them that are named."""
    return tuple(nodes[: int(said)]) if said.isdecimal() else named(said, nodes, option)


def _require_shown(of: Known, nodes: Sequence[str]) -> None:
    lacking = [node for node in nodes if not of.shown(node)]
    if not nodes or lacking:
        what = _names(lacking) if nodes else f"--target {of.words.target!r}"
        wide = f" with --include {','.join(of.words.include)}" if of.words.include else ""
        raise Refused(
            f"nobody has seen what would change on {what}{wide}: 'upgrader data-plane --stage test' shows it, or leave "
            f"{'it' if len(lacking) == 1 else 'them'} out ('{of.words.target} and not NODE')"
        )


def _ignored(of: Known) -> Iterator[str]:
    new = [node for node in of.left if node not in of.past.tested]
    known = [of.past.tested[node] for node in of.target if node in of.past.tested]
    if new and known:
        it, verb = ("it", "was") if len(new) == 1 else ("them", "were")
        yield (
            f"{_names(new)} {verb} not there when run {max(known)} asked the nodes, and {verb} left out: "
            f"'upgrader data-plane --stage test' takes {it} in"
        )


def _cut(of: Known, nodes: Sequence[str]) -> Iterator[str]:
    """Hosts that a run left out of service and that this stage does not work on."""
    by_run: dict[str, list[str]] = {}
    for node, run in of.past.cut.items():
        if node not in nodes:
            by_run.setdefault(run, []).append(node)
    for run, held in by_run.items():
        hosts = ", ".join(map(short, held))
        yield (
            f"{_names(held)} {'is' if len(held) == 1 else 'are'} out of service since run {run} was cut: 'upgrader resume {run}', or "
            f'"salt {of.cloud.controllers[0] if of.cloud.controllers else "CONTROLLER"} upgrader_agents.enable run={run} '
            f"hosts='[{hosts}]'\""
        )


def _done(of: Known) -> Iterator[str]:
    done = [node for node in of.target if node in of.past.upgraded]
    if done:
        yield f"{node_list(done)} {'is' if len(done) == 1 else 'are'} at {of.cloud.path.target.capitalize()} already"


def _names(nodes: Sequence[str]) -> str:
    return some([short(node) for node in nodes])
