"""Runs tests/functional inside a lab node, under each supported Salt: ``python -m tests.support.bench [pytest arguments]``.

Everything on the newest Salt; on the other two what needs the loader and the states: some tests every day, all files in a
soak, but never what runs nova-manage many times (marker ``heavy``): nova-manage does not know which Salt called it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from upgrader.lab import Lab
from upgrader.lab.machine.node import Node, node_environment

NOTHING_CHOSEN = 5  # pytest's exit code; with an expression not every part has a test of that name
NEWEST = "/opt/salt"
LOADED = (
    "test_formulas_served.py",
    "test_model.py",
    "test_routes.py::test_both_modules_are_loaded_documented_and_work_as_a_minion_calls_them",
    "test_nova_states.py::test_every_sls_renders_and_shows_no_password",
    "test_nova_states.py::test_every_function_of_the_contract_is_loaded_and_documented",
    "test_nova_states.py::test_nova_conf_is_written_once",
    "test_nova_states.py::test_upgrade_under_test_true_changes_nothing",
)
APPLIED = (
    "test_backups.py::test_state_in_test_mode_changes_nothing",
    "test_backups.py::test_state_applied_twice_changes_nothing",
    "test_backups.py::test_receipt_tells_bytes_and_hash_of_the_archive",
    "test_backups.py::test_admin_that_cannot_log_in_gets_one_sentence",
    "test_backups.py::test_every_function_is_loaded_and_documented",
    "test_clones.py::test_clones_by_tablespaces_hold_what_the_backup_holds",
    "test_formulas.py::test_every_sls_renders_and_shows_no_secret",
    "test_formulas.py::test_an_incomplete_model_is_refused_before_a_file_is_written",
    "test_formulas.py::test_configuration_under_test_true_changes_nothing_and_is_written_once",
    "test_formulas.py::test_backup_and_restore_act_once_and_not_under_test_true",
)
OTHERS = {"/opt/salt-3006": APPLIED + LOADED, "/opt/salt-3007": LOADED}
"""The other two Salts, and what is run there every day: modules and states, loaded, called and applied; most on the oldest."""


def run_on(
    node: Node, salt: str, words: Sequence[str], folder: str = "functional", files: Sequence[str] = ("",)
) -> int:
    """pytest under one Salt's Python; its output goes where ours goes."""
    print(f"{folder} tests under {salt} on {node.name}", flush=True)
    command = [
        f"{salt}/bin/python",
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--show-capture=no",
        "--durations=20",
        "--durations-min=10",
        *(f"/src/tests/{folder}/{name}" for name in files),
        *words,
    ]
    soak = [f"UPGRADER_SOAK={os.environ['UPGRADER_SOAK']}"] if "UPGRADER_SOAK" in os.environ else []
    inside = ["env", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=/src", *soak, *command]
    return subprocess.run(
        node.command(inside), env=node_environment(), stdin=subprocess.DEVNULL, check=False
    ).returncode


def main(words: Sequence[str]) -> int:
    """All three Salts, whatever each of them says; fails when one failed."""
    lab = Lab(os.environ.get("UPGRADER_BENCH_NAME", "bench"))
    lab.up(topology="bench")
    try:
        node = lab.node("bench01")
        codes = [run_on(node, NEWEST, words)]
        for salt, names in OTHERS.items():
            files = [""] if "UPGRADER_SOAK" in os.environ else names
            codes.append(run_on(node, salt, ["-m", "not heavy", *words], files=files))
        codes += [run_on(lab.node("old01"), NEWEST, words, "sysvinit")]
        codes += [run_on(lab.node("kvm01"), NEWEST, words, "functional_vm")]
    finally:
        lab.down()
    return max((code for code in codes if not (words and code == NOTHING_CHOSEN)), default=NOTHING_CHOSEN)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
