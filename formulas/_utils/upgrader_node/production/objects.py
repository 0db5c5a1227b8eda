"""What production held before the window, by id and name, and what differs from it: the loss that a way back would mean.

Written down once for a run, on the backup node, which nothing of the upgrade touches. The answers hold counts and the first few
names; all of them are in files that only root reads.
"""

import os
import time
import typing

from upgrader_node.clone.clones import Admin
from upgrader_node.database import connection as database_connection
from upgrader_node.database import sql
from upgrader_node.errors import StepError
from upgrader_node.host import records
from upgrader_node.production import databases
from upgrader_node.production.kinds import KINDS, SERVICES, Kind
from upgrader_node.release.path import ReleasePath

FOLDER = "/var/lib/upgrader/objects"
SHOWN = 50
REMEDY = "it is needed to say what a way back would lose; put it back from a backup of this node"
Answer = typing.Dict[str, typing.Any]
Names = typing.Mapping[str, str]
Held = typing.Dict[str, typing.Dict[str, typing.List[typing.Optional[str]]]]


def path_of(run: str, folder: str = FOLDER, what: str = "") -> str:
    """The file of one run; ``what`` is there for the second one (``-loss``). Raises StepError for a run that is no plain name."""
    return os.path.join(folder, records.plain(run) + what + ".json")


def take(admin: Admin, run: str, names: Names, folder: str = FOLDER, again: bool = False) -> Answer:
    """Write down what is there. What was written down before stays, because by now it may have changed.

    :param names: service to name of its database
    :param again: write it down anew: the moment that is kept has not come yet
    """
    where = path_of(run, folder)
    before = records.read(where, REMEDY)
    if before is not None and not again:
        return _told("written down before", before["objects"], where, False)
    held = read(admin, names)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    records.write(where, {"run": run, "taken_at": _now(), "databases": dict(names), "objects": held})
    return _told("written down", held, where, True)


def _told(words: str, held: Held, where: str, changed: bool) -> Answer:
    counts = {kind: len(found) for kind, found in held.items()}
    said = ", ".join("{} {}".format(number, kind) for kind, number in counts.items())
    return {"comment": "{}: {}".format(words, said), "counts": counts, "file": where, "changed": changed}


def read(admin: Admin, names: Names) -> Held:
    """What is there now: kind to id to name and place. Nothing can be written in this session."""
    unknown = sorted(set(names) - set(SERVICES))
    if unknown or not names:
        what = "no objects are known of {}; there are {}"
        raise StepError(what.format(", ".join(unknown) or "no service", ", ".join(SERVICES)))
    with database_connection.reading(admin.driver, admin.account, StepError) as session:
        databases.settled(session)
        return {kind.name: _of_kind(session, kind, names[kind.service]) for kind in KINDS if kind.service in names}


def _of_kind(session: typing.Any, kind: Kind, database: str) -> typing.Dict[str, typing.List[typing.Optional[str]]]:
    if not sql.schema_exists(session, database):
        raise StepError("database {} of {} is not there: correct its name in the model".format(database, kind.service))
    places = [database]
    if kind.more and kind.table in sql.table_names(session, database + kind.more):
        places.append(database + kind.more)
    found = [
        row for place in places for row in sql.rows(session, kind.statement.replace("{db}", sql.identifier(place)))
    ]
    return {str(row[0]): [None if one is None else str(one) for one in row[1:]] for row in found}


class Difference(typing.NamedTuple):
    """What is there and was not, and what was there and is not: kind to id to name and place. Only kinds that have any."""

    created: Held
    deleted: Held


def difference(before: Held, now: Held) -> Difference:
    def more(ours: Held, theirs: Held) -> Held:
        found = {kind: {one: ours[kind][one] for one in ours[kind] if one not in theirs.get(kind, {})} for kind in ours}
        return {kind: held for kind, held in found.items() if held}

    return Difference(more(now, before), more(before, now))


def _since(admin: Admin, run: str, folder: str) -> typing.Tuple[records.Receipt, Difference]:
    taken = records.read(path_of(run, folder), REMEDY)
    if taken is None:
        what = "run {} wrote down nothing on this node ({} is not there): nobody can say what has changed since"
        raise StepError(what.format(run, path_of(run, folder)))
    return taken, difference(taken["objects"], read(admin, taken["databases"]))


def loss(admin: Admin, run: str, folder: str = FOLDER) -> Answer:
    """What a way back to the moment of ``take`` would lose: created and deleted since, by kind, with names."""
    taken, found = _since(admin, run, folder)
    where = path_of(run, folder, "-loss")
    records.write(where, {"run": run, "since": taken["taken_at"], "at": _now(), **found._asdict()})
    return {
        "comment": "since {}: {}".format(taken["taken_at"], said(found)),
        "since": taken["taken_at"],
        "created": {kind: shown(kind, held, True) for kind, held in found.created.items()},
        "deleted": {kind: shown(kind, held, False) for kind, held in found.deleted.items()},
        "counts": {word: {kind: len(held) for kind, held in kinds.items()} for word, kinds in found._asdict().items()},
        "file": where,
    }


def said(found: Difference) -> str:
    """In half a sentence: ``created: 2 instances, 3 ports; deleted: nothing``."""
    return "; ".join(
        "{}: {}".format(word, ", ".join("{} {}".format(len(held), kind) for kind, held in kinds.items()) or "nothing")
        for word, kinds in found._asdict().items()
    )


def shown(
    kind: str, held: typing.Mapping[str, typing.Sequence[typing.Optional[str]]], created: bool
) -> typing.List[str]:
    """The first of them as people name them; of a created instance, where it goes on without a record after a way back."""
    return [_phrase(kind, one, held[one], created) for one in sorted(held)[:SHOWN]]


def _phrase(kind: str, identity: str, fields: typing.Sequence[typing.Optional[str]], created: bool) -> str:
    name, host = fields[0], fields[1]
    words = "{} {}".format(identity, name or "without a name")
    if created and kind == "instances":
        return words + (", stays on compute {} without a record".format(host) if host else ", is on no compute")
    return words + (" on {}".format(host) if host else "")


def same(admin: Admin, run: str, release: ReleasePath, folder: str = FOLDER) -> Answer:
    """Nothing was created or deleted since ``take``, and every schema is the source release's. Raises StepError otherwise."""
    taken, found = _since(admin, run, folder)
    wrong = [] if not (found.created or found.deleted) else ["since {} {}".format(taken["taken_at"], said(found))]
    wrong += _schemas(admin, release, taken["databases"])
    if wrong:
        what = "production is not what it was before run {}: {}; 'upgrader_production.loss' has the names"
        raise StepError(what.format(run, "; ".join(wrong)))
    held = {kind: len(objects) for kind, objects in taken["objects"].items()}
    return {"comment": "all is as it was at {}".format(taken["taken_at"]), "counts": held}


def _schemas(admin: Admin, release: ReleasePath, names: Names) -> typing.List[str]:
    """What is wrong with the schemas: another version than the source's, or tables in a database that only the target has."""
    wrong = []
    ways = [(name + way.suffix, way.source) for service, name in sorted(names.items())
            for way in release.service(service).databases.values()]  # fmt: skip
    with database_connection.reading(admin.driver, admin.account, StepError) as session:
        for name, wanted in ways:
            if wanted is None and sql.table_names(session, name):
                wrong.append(
                    "database {} has tables, and {} has no such database".format(name, release.source.capitalize())
                )
            elif wanted is not None and not sql.stands_at(sql.marks(session, name), wanted):
                at = sql.marks(session, name).shown() if sql.schema_exists(session, name) else "not there"
                wrong.append("database {} is at {} instead of {}".format(name, at, sql.said(wanted)))
    return wrong


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
