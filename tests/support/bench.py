"""Runs tests/functional inside a lab node, under each supported Salt: ``python -m tests.support.bench [pytest arguments]``.

Everything on the newest Salt; on the other two what needs the loader and the states, but not what runs nova-manage many
times (marker ``heavy``): nova-manage does not know which Salt called it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from upgrader.lab import Lab
from upgrader.lab.node import Node, node_environment

NEWEST, OTHERS = "/opt/salt", ("/opt/salt-3006", "/opt/salt-3007")


def run_on(node: Node, salt: str, words: Sequence[str]) -> int:
    """pytest under one Salt's Python; its output goes where ours goes."""
    print(f"functional tests under {salt}", flush=True)
    command = [
        f"{salt}/bin/python",
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--show-capture=no",
        "/src/tests/functional",
        *words,
    ]
    inside = ["env", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=/src", *command]
    return subprocess.run(
        node.command(inside), env=node_environment(), stdin=subprocess.DEVNULL, check=False
    ).returncode


def main(words: Sequence[str]) -> int:
    """All three Salts, whatever each of them says; fails when one failed."""
    lab = Lab("bench")
    lab.up(topology="bench")
    try:
        node = lab.node("bench01")
        codes = [run_on(node, NEWEST, words)]
        codes += [run_on(node, salt, ["-m", "not heavy", *words]) for salt in OTHERS]
    finally:
        lab.down()
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
