"""Backup, clone and restore of a database cluster: as this project does them, and the plain ways, in one run on one lab.

Runs as root on the host, in a lab of its own that is gone afterwards:
``python -m benchmarks.databases --gigabytes 1``. The plain ways:

backup   the data directory copied with ``cp`` on the same node and disk, then ``tar | zstd -1 -T2`` to a file
restore  the usual runbook with the same archive: stop all, move the data directory aside, fetch, unpack, prepare,
         copy back and chown on the first node, found the cluster with it, let the others in by state transfer
clone    ``mariadb-dump | mariadb`` on the backup node, and mydumper + myloader, all through the cluster's haproxy

They run in this order: a restore needs a run that has ended, and the clone's is killed once the clones are verified.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "formulas" / "_utils")]

from benchmarks.database_cluster import DATADIR, HOUR, TABLES, Databases  # noqa: E402
from benchmarks.database_restore import restore  # noqa: E402
from tests.support.rehearsal import STAGE, kill_inner  # noqa: E402
from upgrader.lab import Lab  # noqa: E402
from upgrader.lab.contents.passwords import load_or_make  # noqa: E402
from upgrader.lab.machine.node import Node, node_environment  # noqa: E402
from upgrader.lab.narrator import Narrator  # noqa: E402
from upgrader.lab.topology import VIRTUAL_ADDRESS  # noqa: E402

NAME, INSTANCES = "benchdb", 200
PHASES = ("backup", "restore", "clone")
CLONING = ("clone-create", "clone-export", "clone-load", "clone-verify")
# --- backup


def backup(bench: Databases) -> None:
    whole = bench.timed("upgrader backup create, whole command", bench.take)
    step = bench.steps()["backup-create"]
    reply = next(iter(step["replies"].values()))
    document = reply["value"]["receipt"]
    stream = bench.note("ours: the stream", document["seconds"])
    seconds = bench.note("ours: step backup-create", step["seconds"])
    proof = bench.note("ours: step backup-prove", bench.seconds_of("backup-prove"))
    node = bench.lab.node(document["node"])
    copied, packed, size = _plain_backup(bench, node)
    bench.facts["backup"] = {
        "node": node.name,
        "data_bytes": document["data_bytes"],
        "archive_bytes": document["bytes"],
        "plain_archive_bytes": size,
        "whole_command": round(whole, 1),
        "proof": round(proof, 1),
    }
    bench.compare("backup", "stream / cp + tar and zstd", stream, copied + packed, 1.5)
    bench.compare("backup", "whole step / cp + tar and zstd", seconds, copied + packed, 1.5)
    bench.compare("backup", "stream / tar and zstd alone", stream, packed)


def _plain_backup(bench: Databases, node: Node) -> tuple[float, float, int]:
    """Nothing is stopped, so the copy would be of no use: this is what the disk and the compression take."""
    target, archive = "/var/lib/benchmark-copy", "/var/lib/benchmark-copy.tar.zst"
    node.run(["mkdir", target])
    copying = f"find {DATADIR} -mindepth 1 -maxdepth 1 ! -name galera.cache -exec cp -a -t {target} {{}} +"
    packing = f"set -o pipefail; tar -C {target} -cf - . | zstd -q -1 -T2 -c > {archive}; sync {archive}"
    try:
        copied = bench.timed("plain: cp -a of the data directory", lambda: node.run(["bash", "-c", copying]))
        packed = bench.timed("plain: tar and zstd -1 -T2 of the copy", lambda: node.run(["bash", "-c", packing]))
        return copied, packed, (node.root / archive.lstrip("/")).stat().st_size
    finally:
        node.run(["rm", "-rf", target, archive])


# --- clone


def clone(bench: Databases) -> None:
    _rehearse(bench)
    each = {step: bench.note(f"ours: step {step}", bench.seconds_of(step)) for step in CLONING}
    ours = sum(each.values())
    _drop(bench, "nova_upgrade")
    piped = bench.timed("plain: mariadb-dump into mariadb", lambda: _pipe(bench))
    _drop(bench, "nova_dump")
    tool = _mydumper(bench)
    _drop(bench, "nova_mydumper")
    bench.compare("clone", "with verify / dump pipe", ours, piped, 0.3)
    bench.compare("clone", "without verify / dump pipe", ours - each["clone-verify"], piped, 0.3)
    if tool:
        bench.compare("clone", "with verify / mydumper + myloader", ours, tool)
        bench.compare("clone", "without verify / mydumper + myloader", ours - each["clone-verify"], tool)


def _rehearse(bench: Databases) -> None:
    """The stage until the clones are verified; the rest of it is not this benchmark's."""
    with bench.rehearsal.started(*STAGE) as process:
        while process.poll() is None:
            if CLONING[-1] in bench.steps():
                kill_inner(process)
                break
            time.sleep(0.3)
    last = bench.steps().get(CLONING[-1])
    if not last or not last["ok"]:
        raise RuntimeError(f"the stage ended before the clones were verified: {list(bench.steps().values())[-1:]}")


def _drop(bench: Databases, name: str) -> None:
    bench.ask(f"DROP DATABASE IF EXISTS {name}")


def _options(bench: Databases) -> str:
    """A client's option file for the account that may do everything, by the address that clients use."""
    password = load_or_make(bench.lab.folder / "passwords.json").upgrader
    lines = ["user=upgrader", f'password="{password}"', f"host={VIRTUAL_ADDRESS}", "port=3306"]
    return "".join(f"[{group}]\n" + "\n".join(lines) + "\n" for group in ("client", "mydumper", "myloader"))


def _pipe(bench: Databases) -> None:
    """On the backup node, as a rehearsal without tablespaces would do it."""
    path = "/root/benchmark.cnf"
    bench.ask("CREATE DATABASE nova_dump CHARACTER SET utf8 COLLATE utf8_general_ci")
    bench.cfg.run(["bash", "-c", f"umask 077; cat > {path}"], input=_options(bench))
    words = f"mariadb-dump --defaults-file={path} --single-transaction --quick nova | mariadb --defaults-file={path} nova_dump"
    try:
        bench.cfg.run(["bash", "-c", f"set -o pipefail; {words}"], timeout=4 * HOUR)
    finally:
        bench.cfg.run(["rm", "-f", path])


def _mydumper(bench: Databases) -> float:
    """Nodes have no network to install it from: the host's own runs in the lab's network namespace."""
    if not shutil.which("mydumper"):
        print("mydumper is not installed on this machine: left out", file=sys.stderr)
        return 0.0
    with tempfile.TemporaryDirectory() as folder:
        path, dump = Path(folder) / "options.cnf", Path(folder) / "dump"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(_options(bench))
        common = [f"--defaults-file={path}", f"--host={VIRTUAL_ADDRESS}", "--threads=2"]
        dumping = ["mydumper", *common, "--database=nova", f"--outputdir={dump}", "--trx-consistency-only"]
        # Ten statements a transaction: a thousand, the default, would be write sets of a gigabyte.
        loading = [
            "myloader",
            *common,
            f"--directory={dump}",
            "--database=nova_mydumper",
            "--queries-per-transaction=10",
        ]
        dumped = bench.timed("plain: mydumper, 2 threads", lambda: _inside(bench, dumping))
        loaded = bench.timed("plain: myloader, 2 threads", lambda: _inside(bench, [*loading, "--enable-binlog"]))
    there = bench.ask("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'nova_mydumper'")
    rows = sum(bench.ask(f"SELECT COUNT(*) FROM nova_mydumper.bulk_{n}")[0][0] for n in range(1, TABLES + 1))
    if rows != bench.facts["rows"]:
        raise RuntimeError(f"myloader loaded {rows} rows of {bench.facts['rows']} into {there[0][0]} tables")
    return dumped + loaded


def _inside(bench: Databases, words: Sequence[str]) -> None:
    command = ["nsenter", f"--net={bench.lab.network.path}", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=node_environment(), check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr[-1000:]}")


# --- report


def machine() -> str:
    model = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} cores ({model[0] if model else platform.machine()}), {memory:.0f} GB"


def report(bench: Databases, gigabytes: float, output: str) -> None:
    if output == "json":
        document = {
            "schema": 1,
            "machine": machine(),
            "gigabytes": gigabytes,
            "facts": bench.facts,
            "seconds": bench.seconds,
            "results": [result.document() for result in bench.results],
        }
        print(json.dumps(document, indent=2))
        return
    print(f"\n{machine()}; nova is {bench.facts.get('nova_bytes', 0) / 1e6:.0f} MB\n")
    print(
        tabulate(
            [result.row() for result in bench.results],
            ["phase", "what", "ours s", "plain s", "ratio", "target"],
            tablefmt="github",
            disable_numparse=True,
        )
    )
    print()
    print(tabulate([[name, f"{value:.1f}"] for name, value in bench.seconds.items()], ["part", "s"], tablefmt="github"))
    copied = bench.facts.get("backup")
    if copied:
        ours = copied["data_bytes"] / 1e6 / bench.seconds["ours: the stream"]
        names = ("plain: cp -a of the data directory", "plain: tar and zstd -1 -T2 of the copy")
        plain = copied["data_bytes"] / 1e6 / sum(bench.seconds[name] for name in names)
        print(f"\nbackup: ours {ours:.0f} MB/s, plain {plain:.0f} MB/s of data; {json.dumps(copied)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--gigabytes", type=float, default=1, help="about how large nova is made (1)")
    parser.add_argument(
        "--only", default=",".join(PHASES), help="phases, with commas between them: backup,clone,restore"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the result (text)")
    arguments = parser.parse_args()
    chosen = set(arguments.only.split(","))
    if chosen - set(PHASES):
        parser.error(f"no phase {', '.join(sorted(chosen - set(PHASES)))}; there are {', '.join(PHASES)}")
    lab = Lab(NAME, narrator=Narrator(quiet=True))
    work = {"backup": backup, "restore": restore, "clone": clone}
    lab.down()
    try:
        lab.up(instances=INSTANCES, topology="nova")
        bench = Databases(lab)
        bench.timed("fill", lambda: bench.fill(arguments.gigabytes))
        try:
            for phase in PHASES:
                if phase in chosen:
                    work[phase](bench)
        finally:
            report(bench, arguments.gigabytes, arguments.output)
    finally:
        lab.down()
    return 0 if all(result.document()["met"] for result in bench.results) else 1


if __name__ == "__main__":
    sys.exit(main())
