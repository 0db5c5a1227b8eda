"""All seven schemas from Mitaka to Ocata on the same generated source: by the commands of a runbook, and by ours, with and without forks.

Runs on the lab's bench node: ``upgrader lab --name bench4 up --topology bench``, then
``upgrader lab --name bench4 exec bench01 -- env PYTHONPATH=/src /opt/salt/bin/python -m benchmarks.schemas 1000 --rounds 3``.

Three sides, of each service one right after the other, each on copies that are filled anew, each beginning without a resident process:
the commands as a runbook has them; our phases with pillar ``upgrader:schema:fork: false``, which import a tool for each command;
our phases as they are. The schemas are keystone's, glance's, cinder's, neutron's, heat's and nova's two (its third, cell0's, is
made on the way). What our phases do beyond the runbook (every look before and after, the check for what is left offline, the
removal of Mitaka's services) is in their time, and the runbook does not have it.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

from tabulate import tabulate

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "formulas" / "_utils"))

from upgrader_node.service import resident  # noqa: E402

from benchmarks.nova_schema import machine  # noqa: E402
from tests.functional.bench import DUMPS, PASSWORD, Bench  # noqa: E402
from tests.functional.copies import SERVICES, Copies  # noqa: E402
from tests.support import large_cloud  # noqa: E402
from upgrader.lab.mitaka import populate  # noqa: E402

OWNER = ("--keystone-user", "keystone", "--keystone-group", "keystone")
RUNBOOK: dict[str, tuple[tuple[str, ...], ...]] = {
    "keystone": (
        ("credential_setup", *OWNER),
        ("fernet_setup", *OWNER),
        ("db_sync", "--expand"),
        ("db_sync", "--migrate"),
        ("db_sync", "--contract"),
        ("token_flush",),
    ),
    "glance": (("db", "sync"), ("db", "load_metadefs")),
    "cinder": (("db", "sync", "79"), ("db", "sync"), ("db", "online_data_migrations")),
    "neutron": (("upgrade", "--expand"), ("upgrade", "--contract")),
    "heat": (("db_sync", "79"), ("db_sync",), ("migrate_properties_data",), ("service", "clean")),
}
"""What an operator would type: Mitaka's services of cinder are left to be removed by hand, neutron's offline check is not made."""
SIDES = PLAIN, WITHOUT, WITH = "runbook", "ours, no forks", "ours"
Seconds = dict[str, float]


def sources(bench: Bench, instances: int) -> Copies:
    """Every service's Mitaka databases of a cloud of that size."""
    for service in SERVICES:
        bench._load(service, gzip.decompress((DUMPS / f"{service}.sql.gz").read_bytes()))
    populate(bench.connection, instances=instances, services=SERVICES)
    large_cloud.generate(bench, instances)
    return Copies(bench, {service: bench._dump(service) for service in SERVICES})


def took(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def runbook(copies: Copies, service: str) -> None:
    for words in RUNBOOK[service]:
        done = copies.manage(service, *words)
        if done.returncode or "Error attempting" in done.stdout:
            raise RuntimeError(
                f"{service} {' '.join(words)} exited {done.returncode}: {(done.stdout + done.stderr)[-400:]}"
            )


def once(copies: Copies, service: str, name: str) -> float:
    """Seconds of one service on one side. Ours is proven afterwards, which also ends what is resident."""
    bench = copies.bench
    bench.set_role("upgrader", {"schema": {"fork": name == WITH}})
    if service == "nova":
        large_cloud.clone(bench)
        steps = large_cloud.plain_steps(bench) if name == PLAIN else large_cloud.fast_steps(bench)
        seconds = took(lambda: [step() for step in steps])
        if name != PLAIN:
            bench.phase("services")
    else:
        copies.fresh(service)
        if name == PLAIN:
            plain_password(copies, service)
        seconds = took(partial(runbook if name == PLAIN else Copies.phases, copies, service))
    if name != PLAIN:
        copies.call("verify", service)
    if processes():
        raise RuntimeError(f"{name}: a resident process of {service} is left, the next side would not begin without")
    return seconds


def all_sides(copies: Copies, number: int) -> dict[str, Seconds]:
    """One round: each service's three sides one right after the other, because the machine may have other work; each round another is first."""
    found: dict[str, Seconds] = {name: {} for name in SIDES}
    order = [*SIDES[number % 3 :], *SIDES[: number % 3]]
    for service in (*SERVICES, "nova"):
        for name in order:
            found[name][service] = once(copies, service, name)
        told = ", ".join(f"{name} {found[name][service]:.1f} s" for name in SIDES)
        print(f"round {number + 1}, {service}: {told}", flush=True)
    return found


def plain_password(copies: Copies, service: str) -> None:
    """``glance-manage`` cannot take a password with a percent sign, so the runbook's side has a simple one."""
    conf = copies.conf(service)
    conf.write_text(conf.read_text().replace(f"services_bench:{quote(PASSWORD, safe='')}@", "plain_bench:plain@"))


def processes(seconds: float = 10) -> list[str]:
    """Resident processes, after a time in which they may end."""
    deadline, left = time.monotonic() + seconds, ["?"]
    while left and time.monotonic() < deadline:
        left = [text for text in map(_command_line, Path("/proc").glob("[0-9]*")) if text.startswith("upgrader-fork")]
        time.sleep(0.05)
    return left


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def shown(rounds: Sequence[dict[str, Seconds]]) -> str:
    """Medians of all rounds by service, and the ratios of the sums."""
    rows: list[list[str]] = []
    for service in (*SERVICES, "nova"):
        medians = [statistics.median(one[name][service] for one in rounds) for name in SIDES]
        rows.append(
            [service, *(f"{value:.1f}" for value in medians), *(f"{value / medians[0]:.2f}" for value in medians[1:])]
        )
    sums = [[sum(one[name].values()) for one in rounds] for name in SIDES]
    ratios = [[ours / plain for ours, plain in zip(values, sums[0], strict=True)] for values in sums[1:]]
    rows.append(
        [
            "**all**",
            *(f"{statistics.median(one):.1f}" for one in sums),
            *(f"**{statistics.median(one):.2f}**" for one in ratios),
        ]
    )
    spread = [f"{min(one):.2f} to {max(one):.2f}" for one in ratios]
    rows.append(["rounds", *(" ".join(f"{value:.0f}" for value in one) for one in sums), *spread])
    heads = ["schemas", f"{PLAIN} s", f"{WITHOUT} s", f"{WITH} s", "no forks / runbook", "ours / runbook"]
    return tabulate(rows, heads, tablefmt="github", disable_numparse=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("instances", type=int, help="the size of the cloud, e.g. 1000")
    parser.add_argument("--rounds", type=int, default=1, help="how often all three sides are run (1)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        bench = Bench(Path(root))
        copies = sources(bench, arguments.instances)
        bench.account("plain_bench", "'%'", "`%\\_upgrade`.*", password="plain")
        bench.account("plain_bench", "localhost", "`%\\_upgrade`.*", password="plain")
        processes(resident.IDLE_SECONDS + 10)
        try:
            rounds = [all_sides(copies, number) for number in range(arguments.rounds)]
        finally:
            bench.forget_account("plain_bench")
            copies.close()
            bench.close()
    print(f"\n{arguments.instances} instances; {machine()}\n\n{shown(rounds)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
