"""The verification against the eight `openstack` commands one after the other, in one run on one lab.

Runs as root on the host, in a lab of its own that is gone afterwards: ``python -m benchmarks.verification --instances 200``.
Both sides ask the same controller, turn by turn, after one round that is not counted; the median of the ratios counts.

eight     ``openstack ... -f json`` of the lab's client, eight processes one after the other, on the upgrade node
calls     the session of ``upgrader verify``: the eight lists compared by id, catalogue, placement, six objects made and deleted
whole     the command ``upgrader verify`` itself on the Salt master, with its gates and the way through Salt
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tabulate import tabulate

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "formulas" / "_utils")]

from tests.support.rehearsal import STAGE, Rehearsal  # noqa: E402
from upgrader.lab import Lab  # noqa: E402
from upgrader.lab.narrator import Narrator  # noqa: E402

NAME = "benchver"
COMMANDS = (
    "service list",
    "image list",
    "flavor list --all",
    "compute service list",
    "server list --all-projects",
    "network list",
    "volume list --all-projects",
    "orchestration service list",
)
CLIENT = "/opt/clients/bin/openstack"


def eight(rehearsal: Rehearsal, account: list[str]) -> float:
    """Seconds for the eight commands; each has to end well."""
    started = time.monotonic()
    for command in COMMANDS:
        rehearsal.upg.run(["env", *account, CLIENT, *command.split(), "-f", "json"])
    return time.monotonic() - started


def verified(rehearsal: Rehearsal) -> tuple[float, float]:
    """Seconds of the session, and of the whole command."""
    started = time.monotonic()
    ran = rehearsal.run("verify", "-o", "json")
    whole = time.monotonic() - started
    if ran.returncode != 0:
        raise SystemExit(f"verification failed: {ran.stderr.strip().splitlines()[-1]}")
    return float(json.loads(ran.stdout)["seconds"]), whole


def measure(rehearsal: Rehearsal, account: list[str], rounds: int) -> list[tuple[float, float, float]]:
    """(eight, calls, whole) for each round but the first."""
    found = []
    for number in range(rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr)
        first = eight(rehearsal, account)
        found.append((first, *verified(rehearsal)))
    return found[1:]


def main() -> None:
    """Bring a lab up, rehearse in it, measure, take it down."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--instances", type=int, default=200)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    lab = Lab(NAME, narrator=Narrator())
    lab.down()
    lab.up(instances=given.instances)
    try:
        rehearsal = Rehearsal(lab)
        ran = rehearsal.run(*STAGE, timeout=1800)
        if ran.returncode != 0:
            raise SystemExit(f"the rehearsal failed: {ran.stderr.strip().splitlines()[-1]}")
        held = json.loads((lab.folder / "passwords.json").read_text())
        account = [
            "OS_AUTH_URL=http://upg01:5000/v3", "OS_USERNAME=upgrader", f"OS_PASSWORD={held['keystone_upgrade']}",
            "OS_PROJECT_NAME=service", "OS_USER_DOMAIN_ID=default", "OS_PROJECT_DOMAIN_ID=default", "OS_IDENTITY_API_VERSION=3",
        ]  # fmt: skip
        rows = measure(rehearsal, account, given.rounds)
    finally:
        lab.down()
    cores = subprocess.run(["nproc"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{given.instances} instances, {given.rounds} rounds, {cores} cores, Python {platform.python_version()}")
    print(tabulate([[f"{value:.2f}" for value in row] for row in rows], ["eight s", "calls s", "whole s"]))
    for name, column in (("calls", 1), ("whole", 2)):
        ratios = [row[column] / row[0] for row in rows]
        print(f"{name} / eight: median {statistics.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    main()
