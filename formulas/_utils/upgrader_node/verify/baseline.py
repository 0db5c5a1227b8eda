"""What a source held, by id, written down before anything is changed; the verification compares with it."""

import base64
import contextlib
import json
import os
import time
import typing
import zlib

from upgrader_node.database import connection, sql
from upgrader_node.errors import StepError
from upgrader_node.host import files
from upgrader_node.host import pillar as host_pillar
from upgrader_node.release.path import ReleasePath
from upgrader_node.service.roles import ROLE_OF
from upgrader_node.verify import resources
from upgrader_node.verify.resources import Fields, Resource, Taken, taken

FOLDER = "/var/lib/upgrader/baseline"
# Whose schema tells whether the baseline is still to be had there: the upgrade takes these two first.
TELLING = ("keystone", "nova")
Pillar = typing.Mapping[str, typing.Any]
Records = typing.Dict[str, typing.Dict[str, Fields]]
Answer = typing.Dict[str, typing.Any]


def path_of(folder: str, run: str) -> str:
    """The file of one run's baseline. Raises StepError for what is no run id: it becomes part of a path."""
    if not run or not all(letter.isalnum() or letter in "-_" for letter in run):
        raise StepError("{!r} is no run id".format(run))
    return os.path.join(folder, run + ".json")


def chosen(folder: str, run: str) -> str:
    """The baseline to compare with: of ``run``, the newest for "", none ("") for "none"."""
    if run == "none":
        return ""
    if run:
        path = path_of(folder, run)
        if not os.path.exists(path):
            raise StepError(
                "no baseline of run {} on this node: {} is not there; take it before the upgrade".format(run, path)
            )
        return path
    names = sorted(name for name in os.listdir(folder) if name.endswith(".json")) if os.path.isdir(folder) else []
    return os.path.join(folder, names[-1]) if names else ""


def take(
    driver: typing.Any,
    pillar: Pillar,
    run: str,
    folder: str,
    release: ReleasePath,
    without: typing.Sequence[str] = (),
) -> Answer:
    """Read the resources that stand in databases and write them down. One that was taken before stays as it is.

    :param without: services that the copy does not have

    ``left_out`` counts what the API does not show of the rows: nothing that can be missed afterwards.
    """
    path = path_of(folder, run)
    if os.path.exists(path):
        counts = _counts(_read(path))
        return {"comment": "taken before: {}".format(_said(counts)), "counts": counts, "changed": False}
    held = {one.name: _taken(driver, pillar, one, release) for one in resources.asked(without) if one.statement}
    records = {name: found.records for name, found in held.items()}
    _write(path, run, records)
    counts, left_out = (
        _counts(records),
        {note: len(ids) for found in held.values() for note, ids in found.notes.items()},
    )
    comment = _said(counts) + ("; not shown by the API: {}".format(_said(left_out)) if left_out else "")
    return {"comment": comment, "counts": counts, "left_out": left_out, "changed": True}


def packed(folder: str, run: str) -> Answer:
    """The baseline as text that can go through Salt: a controller that is built anew would lose it with its disk."""
    path = chosen(folder, run or "?")
    with open(path, "rb") as opened:
        text = base64.b64encode(zlib.compress(opened.read(), 9)).decode("ascii")
    return {"comment": "baseline of {}, {} bytes packed".format(run, len(text)), "baseline": text}


def unpack(folder: str, run: str, text: str) -> Answer:
    """Write a packed baseline down on this node. One that is there and differs is refused: nobody knows which is right."""
    path = path_of(folder, run)
    try:
        held = json.loads(zlib.decompress(base64.b64decode(text, validate=True)).decode("utf-8"))
        right = held["run"] == run and isinstance(held["resources"], dict)
    except (ValueError, zlib.error, KeyError, TypeError):
        right = False
    if not right:
        raise StepError(
            "what was given is no packed baseline of run {}: take it anew with upgrader_verify.packed".format(run)
        )
    changed = not os.path.exists(path)
    if not changed and _read(path) != held["resources"]:
        raise StepError("{} is there and says otherwise: move it away if the other one is right".format(path))
    if changed:
        _write(path, run, held["resources"], held["taken_at"])
    counts = _counts(held["resources"])
    return {"comment": _said(counts) if changed else "there before", "counts": counts, "changed": changed}


def _counts(records: typing.Mapping[str, typing.Any]) -> typing.Dict[str, int]:
    return {name: len(held) for name, held in records.items()}


def _said(counts: typing.Mapping[str, int]) -> str:
    return ", ".join("{} {}".format(count, name) for name, count in sorted(counts.items()))


def _taken(driver: typing.Any, pillar: Pillar, resource: Resource, release: ReleasePath) -> Taken:
    role = ROLE_OF[resource.service]
    database = host_pillar.value(pillar, role + ":database", {}) or {}
    if not database.get("name"):
        raise StepError("pillar has no {}:database:name".format(role))
    with contextlib.closing(
        connection.of_account(driver, "pillar {}:database".format(role), database, read_timeout=600)
    ) as session:
        _require_source(session, release, resource.service, database["name"])
        names = {resource.service: sql.identifier(database["name"])}
        return taken(resource, sql.rows(session, resource.statement.format(**names)))


def _require_source(session: typing.Any, release: ReleasePath, service: str, name: str) -> None:
    """A baseline of databases that were upgraded already would compare the upgrade with itself."""
    if service not in TELLING:
        return
    wanted, marks = release.service(service).source_version, sql.marks(session, name)
    if wanted is not None and not sql.stands_at(marks, wanted):
        what = "database {} is at {}, not at {}'s {}: a baseline is taken before the upgrade"
        raise StepError(what.format(name, marks.shown(), release.source.capitalize(), sql.said(wanted)))


def _write(path: str, run: str, records: Records, taken_at: str = "") -> None:
    """Whole or not at all; readable by its owner only."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    taken_at = taken_at or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with files.whole(path) as opened:
        json.dump({"run": run, "taken_at": taken_at, "resources": records}, opened)


def _read(path: str) -> Records:
    try:
        with open(path, encoding="utf-8") as opened:
            records = json.load(opened)["resources"]  # type: Records
            return records
    except (OSError, ValueError, KeyError) as error:
        raise StepError("{} cannot be read: {}".format(path, error)) from None
