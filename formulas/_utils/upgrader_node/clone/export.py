"""Exports of a proven backup's databases on the backup node: what database nodes fetch to clone them by tablespaces."""

import json
import os
import shutil
import tempfile
import time
import typing

from upgrader_node.backup import backup_tool, prepared, receipt, scratch
from upgrader_node.clone import alone, tablespaces
from upgrader_node.database import sql
from upgrader_node.errors import StepError
from upgrader_node.host import pipeline

ARCHIVE = "{}.tar.zst"
INDEX = "index.json"
Export = typing.Dict[str, typing.Any]
Answer = typing.Dict[str, typing.Any]


def folder(store: str, identity: str) -> str:
    """Where the exports of a backup are."""
    return os.path.join(receipt.folder(store, identity), receipt.EXPORT)


def create(store: str, identity: str, databases: typing.Sequence[str], driver: typing.Any, timeout: float) -> Answer:
    """Export databases of a proven backup; one that is there is not made again. Hold ``lock.STORE`` meanwhile."""
    started, target = time.time(), folder(store, identity)
    index = _index(target)
    wanted = [name for name in sorted(databases) if name not in index]
    if wanted:
        copy = prepared.of_proven(store, identity, timeout)
        _own_folder(target)
        packing = receipt.read(store, identity)["compression"]  # what the database nodes can unpack
        with scratch.server(copy, driver) as connection:
            for database in wanted:
                index[database] = _export(connection, copy, database, target, packing, timeout)
                receipt.write(os.path.join(target, INDEX), index)
    exports = {name: index[name] for name in databases}
    return {
        "comment": "{} in {:.0f} s".format(_ways(exports), time.time() - started),
        "exports": exports,
        "logical": sorted(name for name in exports if exports[name]["unfit"]),
        "changed": bool(wanted),
    }


def remove(store: str, identity: str) -> bool:
    """Remove the exports of a backup. Whether there were any."""
    target = folder(store, identity)
    if not os.path.isdir(target):
        return False
    shutil.rmtree(target)
    return True


def _ways(exports: typing.Mapping[str, Export]) -> str:
    """Which databases go the fast way, and why the others do not."""
    fast = sorted(name for name, export in exports.items() if not export["unfit"])
    slow = sorted((name, export["unfit"]) for name, export in exports.items() if export["unfit"])
    told = ["{} by tablespaces".format(", ".join(fast))] if fast else []
    return "; ".join(told + ["{} by dump and load, because {}".format(*one) for one in slow])


def _index(target: str) -> typing.Dict[str, Export]:
    """What was exported before; half a file is not in it."""
    try:
        with open(os.path.join(target, INDEX)) as file:
            index = json.load(file)  # type: typing.Dict[str, Export]
            return index
    except (OSError, ValueError):
        return {}


def _own_folder(target: str) -> None:
    """The folder belongs to the store's user, who has to read what is in it."""
    os.makedirs(target, mode=0o700, exist_ok=True)
    owner = os.stat(os.path.dirname(target))
    os.chown(target, owner.st_uid, owner.st_gid)


def _export(connection: typing.Any, copy: str, database: str, target: str, packing: str, timeout: float) -> Export:
    away = alone.leads_away(connection, database)
    if away:
        raise StepError(
            "{} cannot be cloned: {}; a copy would read and write there: mend the source, take a new backup".format(
                database, "; ".join(away)
            )
        )
    source = os.path.join(copy, database)
    unfit = tablespaces.unfit(connection, database, source)
    if unfit:
        return {"unfit": unfit}
    made = tablespaces.definitions(connection, database)
    path = os.path.join(target, ARCHIVE.format(database))
    if made:
        tablespaces.hold(connection, database, made)
    passed, digest = _pack(made, source, path, packing, timeout)
    sql.rows(connection, "UNLOCK TABLES")
    sizes = sum(os.path.getsize(os.path.join(source, table + ".ibd")) for table in made)
    return {
        "unfit": "",
        "bytes": passed,
        "sha256": digest,
        "compression": packing,
        "data_bytes": sizes,
        "tables": len(made),
    }


def _pack(
    made: typing.Mapping[str, typing.Any], source: str, path: str, packing: str, timeout: float
) -> typing.Tuple[int, str]:
    """The tables' files and definitions as one archive at ``path``, whole or not at all; its bytes and sha256."""
    fresh = path + ".new"
    with tempfile.TemporaryDirectory(prefix="upgrader-export-") as private:
        with open(os.path.join(private, tablespaces.DEFINITIONS), "w") as file:
            json.dump(made, file)
        files = ["tar", "-cf", "-", "--owner=mysql", "--group=mysql", "--mode=0660"]
        files += ["-C", private, tablespaces.DEFINITIONS, "-C", source] + tablespaces.files(made)
        writing = ["dd", "bs=1M", "status=none", "of=" + fresh]
        ended, passed, digest, _ = pipeline.pump([files, backup_tool.compress_command(packing)], [writing], timeout)
    cause = pipeline.first_cause(ended)
    if cause is not None:
        os.unlink(fresh)
        raise StepError("{} cannot be made: {}".format(path, pipeline.describe(cause)))
    owner = os.stat(os.path.dirname(path))
    os.chown(fresh, owner.st_uid, owner.st_gid)
    os.chmod(fresh, 0o600)
    os.replace(fresh, path)
    return passed, digest
