"""A member of the real cluster kept at a moment: gone back to, given back, touched by somebody, and what the others' end means."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from tests.lab.test_restore import DATADIR, Cluster, tidy, wait_for_minions
from tests.support.rehearsal import Rehearsal
from upgrader.lab import Lab
from upgrader.lab.machine.process import wait_until

BACK = ("member-stop", "member-aside", "member-found", "member-join-dbs01", "member-join-dbs02", "member-verify")


class Members(Cluster):
    """The three servers, and what they held when one of them was kept. No backup is taken."""

    def __init__(self, lab: Lab) -> None:
        self.rehearsal = Rehearsal(lab)
        self.nodes = [lab.node(name) for name in ("dbs01", "dbs02", "dbs03")]
        self.first, self.second, self.third = self.nodes
        self.cfg = lab.node("cfg01")
        self.before: dict[str, int] = {}

    def hold(self) -> str:
        """The run that keeps dbs03; what the tables hold at that moment is remembered."""
        self.before = self.checksums(self.first)
        ran = self.run("backup", "hold", "-o", "json", "--restart")
        assert ran.returncode == 0, ran.stderr
        assert "one more that fails ends the quorum" in ran.stderr
        assert self.runs(self.third) == "inactive"
        return str(json.loads(ran.stdout)["run"])

    def back(self, run: str, *words: str) -> Any:
        return self.run("backup", "back", run, "--yes", "--restart", *words)

    def go_on(self) -> None:
        """Rows and a schema change on the two that serve."""
        self.ask(self.second, "INSERT INTO nova.key_pairs (name, user_id) VALUES ('written since', 'x')")
        self.ask(self.first, "ALTER TABLE nova.key_pairs ADD COLUMN made_since INT")
        self.ask(self.first, "CREATE DATABASE made_since")

    def runs(self, node: Any) -> str:
        return str(node.run(["systemctl", "is-active", "mariadb"], check=False).stdout.strip())

    def at_boot(self, node: Any) -> str:
        return str(node.run(["systemctl", "is-enabled", "mariadb"], check=False).stdout.strip())

    def wait_synced(self) -> None:
        def synced() -> bool:
            with contextlib.suppress(pymysql.err.MySQLError):
                return all(
                    self.status(node, "local_state_comment") == "Synced" and self.status(node, "cluster_size") == "3"
                    for node in self.nodes
                )
            return False

        wait_until(synced, 480, "three synced members")

    def found_by_hand(self) -> None:
        """Whatever a test left behind: dbs01 as it is founds the cluster, the others come by state transfer."""
        for node in self.nodes:
            node.run(["systemctl", "stop", "mariadb"], check=False)
            node.run(["systemctl", "reset-failed", "mariadb"], check=False)
            node.run(["systemctl", "enable", "mariadb"], check=False)
        state = self.first.root / "var/lib/mysql/grastate.dat"
        state.write_text(state.read_text().replace("safe_to_bootstrap: 0", "safe_to_bootstrap: 1"))
        self.first.run(["galera_new_cluster"])
        for node in self.nodes[1:]:
            node.run(["rm", "-f", f"{DATADIR}/grastate.dat"])
            node.run(["systemctl", "start", "mariadb"])


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Members:
    return Members(lab)


@pytest.fixture(autouse=True)
def _cluster_stays_whole(cluster: Members) -> Iterator[None]:
    """The next test finds three members; what was put aside goes, and what a test wrote."""
    yield
    try:
        cluster.wait_synced()
    except Exception:  # noqa: BLE001  whatever it was, the cluster is put up again
        cluster.found_by_hand()
        cluster.wait_synced()
    tidy(cluster)
    for statement in (
        "DROP DATABASE IF EXISTS made_since",
        "ALTER TABLE nova.key_pairs DROP COLUMN IF EXISTS made_since",
    ):
        cluster.ask(cluster.first, statement)


def seconds(document: dict[str, Any]) -> dict[str, float]:
    return {step["id"]: step["seconds"] for step in document["steps"] if step["id"].startswith("member-")}


def size_of(cluster: Members) -> int:
    return int(cluster.third.run(["du", "-sm", DATADIR]).stdout.split()[0])


def test_cluster_is_back_at_the_kept_moment_within_seconds(cluster: Members) -> None:
    run = cluster.hold()
    assert cluster.at_boot(cluster.third) == "disabled"
    cluster.go_on()
    megabytes = size_of(cluster)
    ran = cluster.back(run, "-o", "json")
    assert ran.returncode == 0, ran.stderr
    assert f"run {run} kept dbs03 at seqno" in ran.stderr
    document = json.loads(ran.stdout)
    took = seconds(document)
    print(f"\n{megabytes} MB a member; back: " + ", ".join(f"{name} {took[name]:.1f} s" for name in BACK))
    print(
        f"serves again after {sum(took[name] for name in BACK[:3]):.1f} s, all steps {sum(took[name] for name in BACK):.1f} s"
    )
    cluster.assert_restored()
    for node in cluster.nodes[:2]:
        assert (node.root / f"var/lib/mysql.before-{document['run']}/made_since").is_dir()
    assert cluster.at_boot(cluster.third) == "enabled"
    again = cluster.back(run)
    assert again.returncode == 3
    assert "was gone back to already" in again.stderr


def test_kept_member_is_given_back_and_catches_up(cluster: Members) -> None:
    run = cluster.hold()
    cluster.go_on()
    ran = cluster.run("backup", "rejoin", run, "--yes", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    (reply,) = next(step for step in document["steps"] if step["id"] == "member-rejoin")["replies"].values()
    print(f"\nrejoined: {reply['value']['comment']}")
    assert reply["value"]["transfer"] == "IST"
    cluster.before = cluster.checksums(cluster.first)
    cluster.assert_restored()
    assert cluster.at_boot(cluster.third) == "enabled"
    assert cluster.back(run).returncode == 3


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("member-stop", marks=pytest.mark.soak),
        pytest.param("member-aside", marks=pytest.mark.soak),
        "member-found",
        pytest.param("member-join-dbs01", marks=pytest.mark.soak),
    ],
)
def test_killed_way_back_goes_on_where_it_was(cluster: Members, step: str) -> None:
    run = cluster.hold()
    cluster.go_on()
    assert cluster.rehearsal.kill_at(("backup", "back", run, "--yes"), step, "step-submitted", 0.1)
    ran = cluster.run("resume")
    assert ran.returncode == 0, ran.stderr
    cluster.assert_restored()


@pytest.mark.soak
@pytest.mark.parametrize("step", ["member-found"])
def test_minions_that_are_killed_too_go_on(cluster: Members, step: str) -> None:
    run = cluster.hold()
    cluster.go_on()
    assert cluster.rehearsal.kill_at(("backup", "back", run, "--yes"), step, "step-submitted", 0.3)
    for node in cluster.nodes:
        node.run(["systemctl", "kill", "--signal=SIGKILL", "salt-minion"], check=False)
        node.run(["systemctl", "restart", "salt-minion"])
    wait_for_minions(cluster)
    ran = cluster.run("resume")
    assert ran.returncode == 0, ran.stderr
    cluster.assert_restored()


def test_member_that_somebody_started_is_no_way_back(cluster: Members) -> None:
    run = cluster.hold()
    cluster.go_on()
    second = cluster.run("backup", "hold")
    assert second.returncode == 3
    assert f"dbs03.lab.local is the kept member of run {run}" in second.stderr
    assert f"dbs03.lab.local is the kept member of run {run}" in cluster.run("backup", "create").stderr
    cluster.third.run(["systemctl", "start", "mariadb"])
    cluster.wait_synced()
    ran = cluster.back(run)
    assert ran.returncode == 3
    assert "dbs03.lab.local was started by somebody: it was kept at seqno" in ran.stderr
    assert "a proven backup is the way back" in ran.stderr
    cluster.third.run(["systemctl", "stop", "mariadb"])
    ran = cluster.back(run)
    assert ran.returncode == 3
    assert "somebody started it, or changed the file" in ran.stderr
    assert cluster.runs(cluster.first) == cluster.runs(cluster.second) == "active"
    assert cluster.run("backup", "rejoin", run, "--yes", "--restart").returncode == 0


@pytest.mark.soak
def test_dead_host_of_the_kept_member_names_the_backup(cluster: Members) -> None:
    run = cluster.hold()
    cluster.third.run(["systemctl", "stop", "salt-minion"])
    try:
        ran = cluster.back(run)
        assert ran.returncode == 3, ran.stderr
        assert "dbs03.lab.local does not answer" in ran.stderr
        assert "'upgrader backup restore ID --restart'" in ran.stderr
        assert cluster.runs(cluster.first) == "active"
    finally:
        cluster.third.run(["systemctl", "start", "salt-minion"])
        wait_for_minions(cluster)
    assert cluster.run("backup", "rejoin", run, "--yes", "--restart").returncode == 0


def test_others_that_lost_their_quorum_are_no_hindrance(cluster: Members) -> None:
    run = cluster.hold()
    cluster.go_on()
    cluster.second.run(["systemctl", "kill", "--signal=SIGKILL", "mariadb"])
    cluster.second.run(["systemctl", "stop", "mariadb"])
    status = ["mariadb", "-NBe", "SHOW STATUS LIKE 'wsrep_cluster_status'"]
    wait_until(lambda: "non-Primary" in cluster.first.run(status).stdout, 240, "the loss of the quorum")
    ran = cluster.back(run)
    assert ran.returncode == 0, ran.stderr
    cluster.assert_restored()


def test_cluster_that_is_not_whole_keeps_no_member(cluster: Members) -> None:
    cluster.first.run(["systemctl", "stop", "mariadb"])
    ran = cluster.run("backup", "hold")
    cluster.first.run(["systemctl", "start", "mariadb"])
    assert ran.returncode == 3
    assert "dbs01.lab.local has a database server that says nothing" in ran.stderr
    assert "dbs03.lab.local sees 2 members, the model has 3" in ran.stderr
    assert cluster.runs(cluster.third) == "active"
