"""The fast path beside nova-manage: mappings by one statement per batch, request specs and keypair records by a worker.

Measured: plain nova-manage needs 10 to 15 ms for a request spec, 4.5 for a keypair record, 5 to 6 for a mapping. What is
made here equals nova's own rows; what is unusual is left to nova-manage, which always runs afterwards and has the last
word. A worker that cannot be used is no failure: the reason is told and nova-manage does all of it.
"""

import json
import os
import typing

from upgrader_node.database.sql import identifier, rows, scalar
from upgrader_node.host import foreign
from upgrader_node.nova import nova_manage, worker
from upgrader_node.nova import rows as nova_rows
from upgrader_node.schema.session import Session
from upgrader_node.service import manage

FEW = 200
"""Below so many rows nova-manage alone is quicker than starting a worker (2 to 3 s)."""
RANGE = 5000
WORKER = "bulk worker for request specs and keypair records"
_BY_WORKER = ("instances without request spec", "instances without keypair record")


class Bulk(typing.NamedTuple):
    """What the fast path did before nova-manage: rows made, rows left to it by reason, one sentence for the journal."""

    made: typing.Dict[str, int]
    left: typing.Dict[str, int]
    said: str
    memory_mb: int = 0
    seconds: float = 0.0

    def answer(self) -> typing.Dict[str, typing.Any]:
        """For the step's answer, which goes to the journal."""
        told = {"made": self.made, "left_to_nova": self.left, "said": self.said}  # type: typing.Dict[str, typing.Any]
        return dict(told, seconds=round(self.seconds, 1), worker_memory_mb=self.memory_mb)


NOT_ASKED = Bulk({}, {}, "plain nova-manage, as asked")


def _slow(reason: str) -> Bulk:
    return Bulk({}, {}, "plain nova-manage, because " + reason)


def _last_line(text: str) -> typing.Dict[str, typing.Any]:
    """The worker's result; {} when there is none, which is a failure of the worker."""
    lines = text.strip().splitlines()
    try:
        result = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return result if isinstance(result, dict) else {}


def judge_worker(outcome: manage.Outcome) -> Bulk:
    """Exit code and result of a worker together. Rows that it made before it failed are right and stay."""
    result = _last_line(outcome.stdout)
    if "refused" in result:
        return _slow(outcome.shown(str(result["refused"])))
    if "specs" not in result:
        return _slow("the {0} gave no result ({1})".format(WORKER, manage.last_words(outcome)))
    left = {str(reason): int(count) for reason, count in result["left"].items()}
    said = "{0} request spec(s) and {1} keypair record(s) made in bulk by nova's own objects".format(
        result["specs"], result["keypairs"]
    )
    if left:
        said += "; left to nova-manage: " + ", ".join(
            "{0} {1}".format(count, reason) for reason, count in sorted(left.items())
        )
    if outcome.exit_code != 0:
        last = manage.last_words(outcome)
        said += "; the rest is left to nova-manage because {0} worker process(es) died ({1})".format(
            result["died"], last
        )
    return Bulk(
        {"request specs": result["specs"], "keypair records": result["keypairs"]},
        left,
        said,
        result["memory"] // 1024,
        outcome.seconds,
    )


def specs(session: Session, keep_open: typing.Sequence[int], left: typing.Mapping[str, int], timeout: float) -> Bulk:
    """Make most of the missing request specs and keypair records. The caller holds the upgrade's locks."""
    todo = sum(left.get(word, 0) for word in _BY_WORKER)
    if todo < FEW:
        return _slow(
            "only {0} row(s) are to be made".format(todo) if todo else "no request spec or keypair record is to be made"
        )
    order = _order(session, max(2, os.cpu_count() or 1))
    argv = foreign.argv(session.python, worker.__name__)
    session.connection.demand_lock()
    outcome = manage.run(argv, timeout, json.dumps(order), WORKER, session.target.secrets, keep_open, nova_manage.HOME)
    return judge_worker(outcome)


def _order(session: Session, processes: int) -> typing.Dict[str, typing.Any]:
    """No password in it: nova reads its own nova.conf, and the worker compares what it finds there with these places."""
    urls = session.target.urls
    places = {key: [urls[key].host, urls[key].port, urls[key].database] for key in ("main", "api")}
    return dict(places, config_file=session.target.config_file, processes=processes, code=session.path.code)


def mappings(connection: typing.Any, main: str, api: str, cell_id: int) -> Bulk:
    """Map every instance without mapping, soft-deleted ones too, in ranges of ids, one statement each.

    Rows whose project is NULL or not ASCII are left to nova: it fails on the first and may spell the second differently.
    """
    made, start = 0, scalar(connection, "SELECT MIN(id) FROM {0}.instances".format(identifier(main)))
    statement = (
        "INSERT INTO {1}.instance_mappings (created_at, instance_uuid, cell_id, project_id)"
        " SELECT UTC_TIMESTAMP(), i.uuid, %s, i.project_id FROM {0}.instances i"
        " LEFT JOIN {1}.instance_mappings m ON m.instance_uuid = i.uuid"
        " WHERE i.id BETWEEN %s AND %s AND m.id IS NULL AND i.uuid IS NOT NULL AND i.project_id = CONVERT(i.project_id USING ascii)"
        " ORDER BY i.created_at, i.id"
    ).format(identifier(main), identifier(api))
    while start is not None:
        end, following = _range(connection, main, int(start))
        made += _changed(connection, statement, (cell_id, start, end))
        start = following
    unmapped = nova_rows.mapping_counts(connection, main, api)["unmapped"]
    said = "{0} instance mapping(s) made in bulk".format(made)
    left = {"project that is missing or not plain text": unmapped} if unmapped else {}
    return Bulk(
        {"instance mappings": made}, left, said + ("; {0} left to nova-manage".format(unmapped) if unmapped else "")
    )


def _range(connection: typing.Any, main: str, start: int) -> typing.Tuple[int, typing.Optional[int]]:
    """The last id of the range that begins at ``start``, and where the next one begins (None at the end)."""
    ids = "SELECT id FROM {0}.instances WHERE id >= %s ORDER BY id LIMIT {1}".format(identifier(main), RANGE + 1)
    page = [int(row[0]) for row in rows(connection, ids, (start,))]
    return (page[-2], page[-1]) if len(page) > RANGE else (page[-1], None)


def _changed(connection: typing.Any, statement: str, values: typing.Sequence[typing.Any]) -> int:
    with connection.cursor() as cursor:
        return int(cursor.execute(statement, tuple(values)))
