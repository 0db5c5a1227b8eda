"""The server-group repair: gets nova's online migrations past server-group members that have no request spec.

nova bug 1830747 (fixed only after 15.1.5): nova writes such a member a spec whose group has no uuid, dies reading it
back, prints one line and exits 0; every later run dies at the same row. The repair names the group, whose uuid stands
in the membership tables, so that the spec is what Mitaka would have written; nova can read it and goes on to the next
member. Membership itself is never touched. A group that is gone is taken out of the spec, as nova does when it reads.
"""

import typing

from upgrader_node.database.sql import identifier, rows, scalar, table_names
from upgrader_node.errors import StepError
from upgrader_node.nova import databases, judgement, nova_manage
from upgrader_node.nova import rows as nova_rows
from upgrader_node.nova.documents import spec_without_group_uuid, with_group
from upgrader_node.nova.schemas import demand
from upgrader_node.release.path import Phase
from upgrader_node.schema.session import Done, Look, Session, Tool

FIRST = 10
PAGE = 1000


class Repaired(typing.NamedTuple):
    """One request spec that was written anew; ``group`` is None where no group has this member any more."""

    instance: str
    group: typing.Optional[str]


def look(session: Session, phase: Phase) -> Look:
    trouble = _trouble(session)
    pending = judgement.still(trouble) if any(trouble.values()) else ""
    return Look(trouble, pending, "no server-group member needs a repair")


def do(session: Session, tool: Tool, phase: Phase, timeout: float) -> Done:
    """Online migrations, repaired after each run that died of this bug, until no member is without a readable spec.

    Bounded, and each run must bring a spec, another migrated row or nova's marker further. Running it where nothing is
    to be done changes nothing. A run that was cut off anywhere is taken up by running it again.
    """
    api, connection = databases.names(session).api, session.connection
    members = members_in_groups(connection, api)
    repaired = _repair_after(session, 0)
    runs = _until_readable(session, tool, int(phase.args.get("max_count", PAGE)), timeout, repaired)
    after = _trouble(session)
    if any(after.values()):
        raise StepError(
            "the server-group repair has done {0} spec(s) and left {1}".format(len(repaired), judgement.still(after))
        )
    _demand_members(connection, api, members)
    return _said(repaired, runs)


def _trouble(session: Session) -> typing.Dict[str, int]:
    names, connection = databases.names(session), session.connection
    return {
        "members without request spec": nova_rows.grouped_specless(connection, names.main, names.api),
        "specs without group uuid": len(broken_specs(connection, names.api, 0)),
    }


def _until_readable(session: Session, tool: Tool, max_count: int, timeout: float, done: typing.List[Repaired]) -> int:
    """Run and repair until no member is without spec; returns how many runs it took. ``done`` is added to."""
    names, connection = databases.names(session), session.connection
    waiting = nova_rows.grouped_specless(connection, names.main, names.api)
    bound = 8 + waiting + 6 * (1 + nova_rows.live_instances(connection, names.main) // max_count)
    rewound = False
    for number in range(1, bound + 1):
        if not nova_rows.grouped_specless(connection, names.main, names.api):
            return number - 1
        newest, marker = _newest_spec(connection, names.api), nova_rows.spec_marker(connection, names.api)
        outcome = tool.ran(["db", "online_data_migrations", "--max-count", str(max_count)], timeout)
        repaired = _repair_after(session, newest)
        done.extend(repaired)
        if repaired:
            continue
        demand(judgement.judge_batch(outcome, nova_rows.unmigrated(connection, names.main, names.api), 0, 0))
        if any(line.done for line in nova_manage.migrated(outcome)):
            continue
        if nova_rows.spec_marker(connection, names.api) == marker:
            if rewound or not marker:
                raise StepError(
                    "online_data_migrations does nothing more, but server-group members are left without request spec"
                )
            nova_rows.forget_spec_marker(connection, names.api)
            rewound = True
    raise StepError("the server-group repair has not finished after {0} runs of online_data_migrations".format(bound))


def broken_specs(connection: typing.Any, api: str, after: int) -> typing.List[typing.Tuple[int, str, str]]:
    """(id, instance, spec) of the specs beyond id ``after`` whose group has no uuid, read page by page."""
    statement = "SELECT id, instance_uuid, spec FROM {0}.request_specs WHERE id > %s AND instance_uuid <> %s ORDER BY id LIMIT {1}"
    broken = []  # type: typing.List[typing.Tuple[int, str, str]]
    while True:
        page = rows(connection, statement.format(identifier(api), PAGE), (after, nova_rows.SPEC_MARKER_UUID))
        if not page:
            return broken
        after = page[-1][0]
        broken.extend((row[0], row[1], row[2]) for row in page if spec_without_group_uuid(row[2]))


def _repair_after(session: Session, after: int) -> typing.List[Repaired]:
    names, connection = databases.names(session), session.connection
    done = []
    for identity, instance, spec in broken_specs(connection, names.api, after):
        group = group_of(connection, names.main, names.api, instance)
        update = "UPDATE {0}.request_specs SET spec = %s WHERE id = %s AND spec = %s".format(identifier(names.api))
        rows(connection, update, (with_group(spec, group), identity, spec))
        done.append(Repaired(instance, group))
    return done


def group_of(connection: typing.Any, main: str, api: str, instance: str) -> typing.Optional[str]:
    """uuid of the live group that the instance is a member of, whichever database holds it by now."""
    statement = "SELECT g.uuid FROM {0}.instance_group_member m JOIN {0}.instance_groups g ON g.id = m.group_id WHERE {1} = %s{2} LIMIT 1"
    if "instance_group_member" in table_names(connection, api):
        moved = scalar(connection, statement.format(identifier(api), "m.instance_uuid", ""), (instance,))
        if moved:
            return str(moved)
    live = " AND m.deleted = 0 AND g.deleted = 0"
    unmoved = scalar(connection, statement.format(identifier(main), "m.instance_id", live), (instance,))
    return str(unmoved) if unmoved else None


def members_in_groups(connection: typing.Any, api: str) -> int:
    """Memberships that the API database holds; the repair must not lose one."""
    if "instance_group_member" not in table_names(connection, api):
        return 0
    return int(scalar(connection, "SELECT COUNT(*) FROM {0}.instance_group_member".format(identifier(api))))


def _demand_members(connection: typing.Any, api: str, before: int) -> None:
    after = members_in_groups(connection, api)
    if after < before:
        raise StepError(
            "{0}.instance_group_member lost {1} of {2} memberships during the repair".format(
                api, before - after, before
            )
        )


def _newest_spec(connection: typing.Any, api: str) -> int:
    return int(scalar(connection, "SELECT COALESCE(MAX(id), 0) FROM {0}.request_specs".format(identifier(api))))


def _said(done: typing.Sequence[Repaired], runs: int) -> Done:
    named = len([item for item in done if item.group])
    comment = "no server-group member needs a repair"
    if done:
        comment = "{0} request spec(s) repaired in {1} run(s): {2} now name their server group, {3} belong to none any more".format(
            len(done), runs, named, len(done) - named
        )
    elif runs:
        comment = "every server-group member got a readable request spec in {0} run(s); none needed a repair".format(
            runs
        )
    first = [{"instance": item.instance, "group": item.group} for item in done[:FIRST]]
    return Done(comment, {"repaired": len(done), "first": first, "runs": runs}, bool(done or runs))
