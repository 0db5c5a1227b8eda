"""How long the APIs are away and how long the way back takes: this tool's order against the reference's own, in one lab, round by round.

Runs as root on the host, in a lab of its own that is gone afterwards (``--keep`` leaves it, and then the same command goes on in it):
``python -m benchmarks.control_plane --instances 50 --rounds 3``; with ``--gigabytes 5`` production's nova gets rows of that size.
Each round: real-upgrade and rollback by this tool, then the same by the reference's order, typed on the nodes. The same prober asks the
same addresses twice a second; an API is away from its first question without an answer until it answers for good. Either side has to end
as it must (APIs, versions of every schema, the instances' rows, after a way back the checksum of every table), else nothing is counted.

The reference's order (control upgrade of Mirantis' 2017 pipelines): machine destroyed, its disk kept by ``cp``, undefined, a second backup,
a new machine from a base image without services, service after service its code, configuration, schema and start. Its rollback: destroyed,
disk back by ``cp``, all servers stopped, the datadir emptied, the backup copied back on one, the others by state transfer. Nobody waits for
a human on either side. Stand-ins, and whom each one helps:

* Code: pip installs the lab's three Python environments from wheels, dpkg some Debian packages, all fetched by a pipe. The reference has some
  400 packages of Ubuntu and its clients, from a mirror, with each one's scripts and syncs. Helps the reference.
* Ours begins with a base image that holds the code, as the lab's model says. Where a site's image has none, the deployment installs it in
  the window. Helps ours: hence the line without the reference's installation.
* Configuration and keystone's keys: an archive of what the lab's own states wrote on our controller, unpacked. The reference renders both
  by its formulas, and runs base states twice and highstates. Helps the reference, and so does SQL
  for keystone.client's calls and for cinder's old service rows.
* No proxies, keepalived, glusterfs: not in the lab. Helps the reference, which restarts and installs them.
* The second backup is incremental, as the reference's is less than two days after its rehearsal; zstd for qpress, a pipe for rsync.
* ``galera_new_cluster`` for an edited my.cnf; the others' datadirs emptied, where the reference removes ib_logfile* only, without which
  MariaDB 10.11 does not start; raw disks of containers for qcow2 of qemu, which boots in 3 s here. Helps both.
* nova's map_cell0 gets its URL, and glance's alembic its password, in a spelling that they bear: the lab's passwords are that bad.
* With ``--gigabytes``, rows are written after the rehearsal: its copies are small on both sides.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "formulas" / "_utils")]

from benchmarks import control_plane_figures as told  # noqa: E402
from benchmarks.control_plane_packages import mirror  # noqa: E402
from benchmarks.control_plane_reference import PLAIN, Reference  # noqa: E402
from benchmarks.database_cluster import Databases  # noqa: E402
from benchmarks.databases import machine  # noqa: E402
from benchmarks.verification import CLIENT, COMMANDS  # noqa: E402
from tests.support.rehearsal import SOURCES  # noqa: E402
from upgrader.lab import Lab  # noqa: E402
from upgrader.lab.control.model import PORTS, WATCHED  # noqa: E402
from upgrader.lab.control.stand_in import MARK  # noqa: E402
from upgrader.lab.demo.figures import figures  # noqa: E402
from upgrader.lab.image.recipe import chain, lab_recipes, up_to  # noqa: E402
from upgrader.lab.mitaka import identity  # noqa: E402
from upgrader.lab.narrator import Narrator  # noqa: E402
from upgrader.lab.topology import CONTROL  # noqa: E402

NAME = "benchwin"
STAGE = ("control-plane", "--stage")
ASKING = "msg01"
"""A node with the `openstack` command that may reach production: the upgrade node may not."""
ROWS = (
    "SELECT uuid, user_id, project_id, image_ref, display_name, vm_state, power_state, host, node, instance_type_id "
    "FROM nova.instances WHERE deleted = 0 ORDER BY uuid"
)
ASK = (
    "import http.client, sys; c = http.client.HTTPConnection('vip01.lab.local', int(sys.argv[1]), timeout=20); "
    f"c.request('GET', '/'); r = c.getresponse(); print(r.status, r.getheader('{MARK}') or 'real')"
)


class Bench:
    """One lab whose control plane goes there and back in both orders."""

    def __init__(self, lab: Lab, packages: Path) -> None:
        self.lab, self.cluster = lab, Databases(lab)
        self.rehearsal, self.cfg = self.cluster.rehearsal, self.cluster.cfg
        self.reference = Reference(lab, self.rehearsal, packages)
        self.rows, self.sums = self._rows(), dict[str, str]()
        self.versions = dict[str, list[str]]()

    def rehearsed(self) -> bool:
        history = json.loads(self.rehearsal.run("history", "-o", "json").stdout)["runs"]
        return any(run["stage"] == "test-upgrade" and run["state"] == "finished" for run in history)

    def round(self, number: int) -> told.Round:
        """Raises RuntimeError when a side does not end as it must."""
        self.sums = self.rehearsal.checksums(SOURCES)
        ours, back = self._ours()
        self.reference.prepare()
        there = self._watched(f"bench-{number}-there-{time.time():.0f}", self.reference.forward)
        again = self._watched(f"bench-{number}-back-{time.time():.0f}", self.reference.back)
        self._tidy()
        return told.Round(ours, back, there, again)

    # --- ours

    def _ours(self) -> tuple[told.Way, told.Way]:
        there = self._stage("real-upgrade", self.upgraded)
        self.versions = self._versions()
        self.reference.save_configuration()
        return there, self._stage("rollback", self.as_before)

    def _stage(self, stage: str, check: Callable[[], None]) -> told.Way:
        began = time.monotonic()
        run = self.cluster.command(*STAGE, stage, "--yes")["run"]
        seconds = self.cluster.note(f"ours: {stage}, whole command", time.monotonic() - began)
        check()
        document = self.cluster.command("status", run)
        (summary,) = next(step for step in document["steps"] if step["id"] == "watch-end")["replies"].values()
        steps = {step["id"]: step["seconds"] or 0.0 for step in document["steps"]}
        return self._way(summary["value"], seconds, figures(document).databases_back, steps)

    def _way(
        self, summary: Mapping[str, Any], seconds: float, databases: float | None, steps: Mapping[str, float]
    ) -> told.Way:
        away = told.away(summary)
        self.cluster.note("  until the last API is back", max(away.values()))
        return told.Way(away, round(seconds, 1), databases, dict(steps))

    # --- the reference

    def _watched(self, run: str, work: Callable[[], float | None]) -> told.Way:
        """Under a prober of its own, the same one that a stage starts."""
        self._prober("start", run, f"targets={json.dumps(WATCHED)}")
        began = time.monotonic()
        databases = work()
        seconds = self.cluster.note(f"reference: {run}", time.monotonic() - began)
        self._prober("answering", run, "patience=300")
        self.upgraded() if databases is None else self.as_before()
        return self._way(self._prober("stop", run), seconds, databases, self.reference.seconds)

    def _prober(self, function: str, run: str, *words: str) -> dict[str, Any]:
        command = [
            "salt",
            "--static",
            "--out=json",
            "-t",
            "330",
            self.cfg.plan.minion_id,
            f"upgrader_prober.{function}",
            f"run={run}",
        ]
        said = next(iter(json.loads(self.cfg.run([*command, *words]).stdout).values()))
        if not isinstance(said, dict):
            raise RuntimeError(f"upgrader_prober.{function}: {said}")
        return said

    # --- how a side has to end

    def upgraded(self) -> None:
        """Ocata's APIs answer the eight questions with production's instances; every schema is where this tool's order brings it."""
        for api, (status, who) in self._apis().items():
            self._demand(who == "real" and status < 500, f"{api} is {who} and says {status}")
        found = [json.loads(self._client(command)) for command in COMMANDS]
        self._demand(all(found[:-1]), "one of the eight lists is empty")
        servers = {one["ID"] for one in found[COMMANDS.index("server list --all-projects")]}
        self._demand(
            servers == {row[0] for row in self.rows}, f"{len(servers)} servers are listed, not those of before"
        )
        self._demand(self._rows() == self.rows, "the rows of the instances are not those of before")
        versions = self._versions()
        self._demand(versions == (self.versions or versions), f"schemas are at {versions}, not at {self.versions}")
        self._demand(versions["nova"][0] == "347", f"nova's schema is at {versions['nova']}")

    def as_before(self) -> None:
        """Mitaka's APIs answer, and every table of production has the checksum of before."""
        for api, (status, who) in self._apis().items():
            self._demand(who == "mitaka" and status < 500, f"{api} is {who} and says {status}")
        sums = self.rehearsal.checksums(SOURCES)
        different = [table for table in self.sums if sums.get(table) != self.sums[table]]
        self._demand(sums == self.sums, f"other tables than before: {different[:5]}")
        self._demand("nova_cell0" not in self.rehearsal.production(), "nova_cell0 is still there")
        size = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'WSREP_CLUSTER_SIZE'"
        self._demand(self.rehearsal.scalar(size) == "3", "the cluster has not three members")

    def _demand(self, condition: bool, sentence: str) -> None:
        if not condition:
            raise RuntimeError(f"this does not count: {sentence}")

    def _apis(self) -> dict[str, tuple[int, str]]:
        """Status and maker of each API's answer, through the address that users have."""
        asked = {
            api: self.cfg.run(["/opt/salt/bin/python3", "-c", ASK, str(port)]).stdout.split()
            for api, port in PORTS.items()
        }
        return {api: (int(status), who) for api, (status, who) in asked.items()}

    def _client(self, command: str) -> str:
        return (
            self.lab.node(ASKING)
            .run([CLIENT, "--os-cloud", "bench", *command.split(), "-f", "json"], timeout=120)
            .stdout
        )

    def _rows(self) -> list[tuple[Any, ...]]:
        return list(self.cluster.ask(ROWS))

    def _versions(self) -> dict[str, list[str]]:
        """What each database says of its schema."""
        found: dict[str, list[str]] = {}
        tables = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_name IN ('migrate_version', 'alembic_version')"
        columns = {"migrate_version": "version", "alembic_version": "version_num"}
        for schema, table in self.cluster.ask(tables):
            if schema in (*SOURCES, "nova_cell0"):
                rows = self.rehearsal.column(f"SELECT {columns[table]} FROM {schema}.{table}")
                found[schema] = sorted([*found.get(schema, []), *map(str, rows)])
        return found

    def _tidy(self) -> None:
        """Disks and data directories that were moved aside: three rounds of them do not fit beside each other."""
        self.reference.tidy()
        self.reference.kvm.run(["find", "/srv/vm", "-name", "*.replaced-*", "-delete"])
        for node in self.cluster.nodes:
            node.run(["find", "/var/lib", "-maxdepth", "1", "-name", "mysql.*", "-exec", "rm", "-rf", "{}", "+"])


def account() -> str:
    """How the client of the checks logs in: a file, for nobody's command line."""
    auth = {
        "auth_url": WATCHED["keystone"] + "v3", "username": "admin", "password": identity.PASSWORD, "project_name": "admin",
        "user_domain_id": "default", "project_domain_id": "default",
    }  # fmt: skip
    cloud = {"auth": auth, "region_name": identity.REGION, "identity_api_version": "3"}
    return json.dumps({"clouds": {"bench": cloud}}) + "\n"


def packages_of(lab: Lab) -> Path:
    """The mirror of a lab, in its folder: whole under its name, or not there."""
    place = lab.folder / "benchmark-mirror"
    if not place.is_dir():
        plain = lab.images.files(up_to(chain(lab_recipes()), PLAIN)[-1])
        fresh = place.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        counted = mirror(lab.node("upg01").root, plain, lab.images.folder / "debs", fresh)
        fresh.rename(place)
        print(f"mirror: {counted}", file=sys.stderr)
    return place


def stand(lab: Lab, instances: int, gigabytes: float) -> Bench:
    """The lab rehearsed and filled. One that is up already is gone on with."""
    if lab.options is None:
        lab.up(topology=CONTROL.name, instances=instances)
    bench = Bench(lab, packages_of(lab))
    if not bench.rehearsed():
        bench.cluster.timed("rehearsal", lambda: bench.cluster.command(*STAGE, "test-upgrade"))
    bench.reference.provide_image()
    clouds = "/root/.config/openstack/clouds.yaml"
    lab.node(ASKING).run(["sh", "-c", f"umask 077; mkdir -p {Path(clouds).parent}; cat > {clouds}"], input=account())
    held = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'nova' AND table_name LIKE 'bulk%'"
    if gigabytes and not bench.rehearsal.scalar(held):
        bench.cluster.timed("fill", lambda: bench.cluster.fill(gigabytes))
    return bench


def report(rounds: Sequence[told.Round], facts: Mapping[str, Any], output: str) -> bool:
    """Whether every target was met."""
    found = told.lines(rounds, bool(facts["gigabytes"]))
    if output == "json":
        print(json.dumps(told.document(rounds, found, facts), indent=2))
    else:
        print(f"{facts['machine']}; {facts['instances']} instances, {facts['gigabytes']:g} GB, {len(rounds)} rounds\n")
        print(told.over_all(found))
    return all(one.met for one in found)


def main() -> int:
    """Tables, or a document; 1 when a target was missed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--instances", type=int, default=50, help="how large the cloud is (50)")
    options.add_argument("--rounds", type=int, default=3, help="how often both orders go there and back (3)")
    options.add_argument("--gigabytes", type=float, default=0, help="about how large nova is made (as it is)")
    options.add_argument("--lab", default=NAME, help=f"name of the lab ({NAME})")
    options.add_argument("--keep", action="store_true", help="leave the lab, and one that is there stays")
    options.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the result (text)")
    given = options.parse_args()
    lab = Lab(given.lab, narrator=Narrator())
    facts = {"machine": machine(), "instances": given.instances, "gigabytes": given.gigabytes}
    rounds, met = list[told.Round](), False
    with contextlib.ExitStack() as after:
        if not given.keep:
            lab.down()
            after.callback(lab.down)
        bench = stand(lab, given.instances, given.gigabytes)
        try:
            for number in range(1, given.rounds + 1):
                rounds.append(bench.round(number))
                print(told.of_round(number, rounds[-1]), file=sys.stderr, flush=True)
        finally:
            met = bool(rounds) and report(rounds, facts, given.output)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
