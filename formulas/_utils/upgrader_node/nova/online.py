"""``online_data_migrations`` until the databases say that nothing is left and nova agrees; bounded, and with progress."""

import typing

from upgrader_node.errors import StepError
from upgrader_node.nova import bulk as nova_bulk
from upgrader_node.nova import databases, judgement, nova_manage, rows, walk
from upgrader_node.nova.schemas import demand
from upgrader_node.release.path import Phase
from upgrader_node.schema.session import Done, Look, Session, Tool
from upgrader_node.service.manage import Outcome

MAX_COUNT = 2000
"""Rows of one batch, where the phase says nothing else; nova's own 50 costs a start of nova-manage for each."""


def remaining(session: Session) -> typing.Dict[str, int]:
    """Rows that have still to be moved or made, by what they are."""
    names = databases.names(session)
    return rows.unmigrated(session.connection, names.main, names.api)


def look(session: Session, phase: Phase) -> Look:
    left = remaining(session)
    pending = "left: {0}".format(judgement.still(left)) if any(left.values()) else ""
    return Look(left, pending, "no row is left to migrate")


def do(session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
    """Batches; each must move something or walk on. ``timeout`` is in seconds and for one batch.

    With ``fast`` (so it is, unless the phase says otherwise) most rows are made in bulk first, equal to nova's own; the
    answer's ``bulk`` says what and what not.
    """
    before, bulk = remaining(session), nova_bulk.NOT_ASKED
    if phase.args.get("fast", True):
        bulk = nova_bulk.specs(session, tool.keep_open, before, timeout)
    sums = {}  # type: typing.Dict[str, int]
    batches = _batches(session, tool, phase, timeout, sums)
    moved = sum(sums.values()) + sum(bulk.made.values())
    comment = "nothing is left to migrate; {0} row(s) moved, {1} batch(es) of nova-manage; {2}".format(
        moved, batches, bulk.said
    )
    return Done(comment, {"migrated": sums, "batches": batches, "bulk": bulk.answer()}, moved > 0)


def _group_trouble(session: Session, outcome: Outcome) -> typing.Tuple[int, int]:
    """Server-group members without spec and specs with a broken group; asked only after a failure, it reads every spec."""
    if not nova_manage.failed_migrations(outcome):
        return 0, 0
    names, connection = databases.names(session), session.connection
    grouped = rows.grouped_specless(connection, names.main, names.api)
    return grouped, rows.broken_group_specs(connection, names.api)


def _batches(session: Session, tool: Tool, phase: Phase, timeout: float, sums: typing.Dict[str, int]) -> int:
    """Run batches; returns how many. ``sums`` collects the rows done by migration.

    A batch must do a row or move nova's marker: matched rows alone are no progress (flavors that cannot be moved match
    for ever).
    """
    names, connection = databases.names(session), session.connection
    max_count, fast = int(phase.args.get("max_count", MAX_COUNT)), phase.args.get("fast", True)
    bound = 8 + 4 * (1 + rows.live_instances(connection, names.main) // max_count)
    rewound, marker = False, rows.spec_marker(connection, names.api)
    for number in range(1, bound + 1):
        if fast:
            marker = walk.park_specs(connection, names.main, names.api)
        outcome = tool.ran(["db", "online_data_migrations", "--max-count", str(max_count)], timeout)
        left = remaining(session)
        demand(judgement.judge_batch(outcome, left, *_group_trouble(session, outcome)))
        summary = nova_manage.migrated(outcome)
        for line in summary:
            if line.done:
                sums[line.name] = sums.get(line.name, 0) + line.done
        if outcome.exit_code == 0 and not any(left.values()):
            return number
        before, marker = marker, rows.spec_marker(connection, names.api)
        if any(line.done for line in summary) or marker != before:
            continue
        if left["instances without request spec"] and marker and not rewound:
            rows.forget_spec_marker(connection, names.api)
            rewound, marker = True, ""
            continue
        raise StepError(
            "online_data_migrations exits {0} and does nothing more, but is not done; left: {1}".format(
                outcome.exit_code, judgement.still(left)
            )
        )
    raise StepError(
        "online_data_migrations has not finished after {0} batches of {1}; left: {2}".format(
            bound, max_count, judgement.still(left)
        )
    )
