"""What maps to the cell: compute hosts and instances. nova says nothing when some stay unmapped (docs/traps.md 13 and 14),
so counts in the databases are the proof."""

import typing

from upgrader_node.errors import StepError
from upgrader_node.nova import bulk as nova_bulk
from upgrader_node.nova import databases, judgement, rows, walk
from upgrader_node.nova.cells import others, the_cell
from upgrader_node.nova.online import MAX_COUNT
from upgrader_node.nova.rows import Cell
from upgrader_node.nova.schemas import demand
from upgrader_node.release.path import Phase
from upgrader_node.schema.session import Done, Look, Session, Tool


def _no_cell(session: Session, phase: Phase) -> typing.Optional[Look]:
    return None if others(session) else Look(None, "{0} is not there yet".format(phase.args["cell"]), "")


def _host_counts(session: Session, cell: Cell) -> typing.Tuple[typing.Dict[str, int], typing.List[str]]:
    names, connection = databases.names(session), session.connection
    counts = rows.host_counts(connection, names.main, names.api, cell.id)
    return counts, rows.unmapped_hosts(connection, names.main, names.api)


def look_hosts(session: Session, phase: Phase) -> Look:
    """Every live compute host is mapped, and to this cell."""
    missing = _no_cell(session, phase)
    if missing:
        return missing
    counts, unmapped = _host_counts(session, the_cell(session, phase.args["cell"]))
    left = [] if not unmapped else ["{0} compute hosts have no mapping".format(len(unmapped))]
    if counts["elsewhere"]:
        left.append("{0} host mapping(s) lead to another cell".format(counts["elsewhere"]))
    return Look(counts, "; ".join(left), "all {0} compute hosts are already mapped".format(counts["hosts"]))


def do_hosts(session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
    cell = the_cell(session, phase.args["cell"])
    before, _ = _host_counts(session, cell)
    outcome = tool.ran(["cell_v2", "discover_hosts", "--cell_uuid", cell.uuid], timeout)
    after, unmapped = _host_counts(session, cell)
    return Done(demand(judgement.judge_hosts(outcome, unmapped, after)), {}, after != before)


def _counts(session: Session) -> typing.Dict[str, int]:
    names = databases.names(session)
    return rows.mapping_counts(session.connection, names.main, names.api)


def look_instances(session: Session, phase: Phase) -> Look:
    """Every instance, soft-deleted ones too, has a mapping with a cell."""
    missing = _no_cell(session, phase)
    if missing:
        return missing
    the_cell(session, phase.args["cell"])
    counts = _counts(session)
    mapped, sentence = judgement.judge_mapped(counts)
    return Look(counts, "" if mapped else sentence, sentence)


def do_instances(session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
    """Batches; resumes at nova's marker; a batch that moves neither counts nor marker is a failure.

    With ``fast`` (so it is, unless the phase says otherwise) the mappings are written in bulk and nova-manage, from a
    marker behind them, has the last word.
    """
    names, connection = databases.names(session), session.connection
    cell, before, bulk = the_cell(session, phase.args["cell"]), _counts(session), nova_bulk.NOT_ASKED
    if phase.args.get("fast", True):
        bulk = nova_bulk.mappings(connection, names.main, names.api, cell.id)
        walk.park_mappings(connection, names.main, names.api)
    max_count = int(phase.args.get("max_count", MAX_COUNT))
    batches = _batches(session, tool, cell, max_count, timeout, 3 + before["instances"] // max_count)
    after = _counts(session)
    comment = "{0}; {1}".format(demand(judgement.judge_mapped(after)), bulk.said)
    return Done(comment, {"batches": batches, "bulk": bulk.answer()}, after != before)


def _batches(session: Session, tool: Tool, cell: Cell, max_count: int, timeout: float, bound: int) -> int:
    """Exit 1 is both "more to do" and "crashed": the output tells them apart."""
    api, seen = databases.names(session).api, set()  # type: str, typing.Set[str]
    words = ["cell_v2", "map_instances", "--cell_uuid", cell.uuid, "--max-count", str(max_count)]
    for number in range(1, bound + 1):
        outcome = tool.ran(words, timeout)
        demand(judgement.judge_exit(outcome, (0, 1)))
        if outcome.exit_code == 0:
            return number
        marker = rows.map_marker(session.connection, api)
        if not marker or marker in seen:
            raise StepError(
                "map_instances exits 1 for more to do, but its marker in {0} does not move ({1!r})".format(api, marker)
            )
        seen.add(marker)
    raise StepError("map_instances has not finished after {0} batches of {1}".format(bound, max_count))
