"""What refuses a restore on a node: everything at once, each with the numbers and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from upgrader_node.restore import judgement, service_control
from upgrader_node.restore import servers as service

UUID = "e12cdfdb-e6f5-11f1-8054-7a58c7ac52de"
RECEIPT: dict[str, Any] = {
    "id": "b1",
    "bytes": 1,
    "sha256": "0",
    "server_version": "10.11.19-MariaDB",
    "data_bytes": 10,
    "galera": {"name": "c", "uuid": UUID, "seqno": 518},
}
FACTS: dict[str, Any] = {
    "tool": "mariadb-backup based on MariaDB server 10.11.19-MariaDB",
    "server": "mariadbd  Ver 10.11.19-MariaDB",
    "members": 3,
    "datadir": "/var/lib/mysql",
    "unrenamable": "",
    "needed": 10,
    "free": 100,
    "options": {"wsrep_cluster_address": "gcomm://a,b,c"},
    "addresses": {},
    "uuid": UUID,
    "name": "c",
    "size": 3,
    "founder": True,
    "clients": 0,
}


def before(facts: dict[str, Any], receipt: dict[str, Any] = RECEIPT, another: bool = False) -> list[dict[str, str]]:
    return judgement.before("dbs01", receipt, {**FACTS, **facts}, another)


def test_fitting_node_has_no_finding() -> None:
    assert before({}) == []


@pytest.mark.parametrize(
    ("facts", "receipt", "words"),
    [
        ({"server": ""}, {}, "has no database server program"),
        ({"server": "mariadbd Ver 10.6.1-MariaDB"}, {}, "has database server 10.6 and backup b1 is of 10.11.19"),
        ({"tool": ""}, {}, "has backup tool none and needs mariadb-backup of series 10.11"),
        ({"founder": False}, {}, "has no known way to found a cluster"),
        ({"unrenamable": "it is a mount point of its own"}, {}, "cannot rename /var/lib/mysql: it is a mount point"),
        ({"options": {**FACTS["options"], "innodb_data_home_dir": "/srv/x"}}, {}, "outside of the data directory"),
        (
            {"free": 1000000, "needed": 5000000},
            {},
            "has 1 MB free beside /var/lib/mysql and the prepared copy needs 5 MB",
        ),
        ({"options": {"wsrep_cluster_address": "gcomm://"}}, {}, "has the cluster address 'gcomm://'"),
        ({"uuid": "other"}, {}, "belongs to cluster other"),
        ({"name": "other"}, {}, "is configured for cluster 'other'"),
        ({}, {"galera": None}, "is one of 3 database nodes"),
        ({"size": 4}, {}, "sees 4 members of its cluster and the model has 3"),
    ],
)
def test_what_does_not_fit_is_a_blocker_with_a_remedy(
    facts: dict[str, Any], receipt: dict[str, Any], words: str
) -> None:
    found = before(facts, {**RECEIPT, **receipt})
    assert [finding["severity"] for finding in found] == ["blocker"]
    assert words in found[0]["what"]
    assert found[0]["remedy"]


def test_receipt_of_an_older_version_is_refused() -> None:
    receipt = {key: value for key, value in RECEIPT.items() if key != "data_bytes"}
    assert "no data_bytes" in before({}, receipt)[0]["what"]


def test_another_cluster_is_accepted_when_asked_for() -> None:
    assert before({"uuid": "other", "name": "other"}, another=True) == []


def test_node_that_never_was_in_a_cluster_belongs_to_none() -> None:
    assert before({"uuid": ""}) == []
    assert before({"uuid": judgement.NO_UUID}) == []


def test_everything_wrong_is_said_at_once() -> None:
    assert len(before({"server": "", "free": 0, "unrenamable": "x", "uuid": "other"})) == 4


def test_connected_clients_and_overridden_empty_address_are_warnings() -> None:
    found = before({"clients": 4, "addresses": {"/etc/mysql/x.cnf": "gcomm://"}})
    assert [finding["severity"] for finding in found] == ["warning", "warning"]


def test_single_server_needs_no_cluster() -> None:
    facts = {"members": 1, "options": {}, "uuid": "", "name": "", "size": 0, "founder": False}
    assert before(facts, {**RECEIPT, "galera": None}) == []


def test_empty_addresses_are_found_and_comments_are_not() -> None:
    files = {
        "a": "#wsrep_cluster_address = gcomm://\n",
        "b": 'wsrep-cluster-address="gcomm://"\n',
        "c": "wsrep_cluster_address = gcomm://10.0.0.1,10.0.0.2\n",
        "d": "[mysqld]\n  loose_wsrep_cluster_address=gcomm:// # old\n",
    }
    assert sorted(judgement.empty_addresses(files)) == ["b", "d"]


def test_members_beside_oneself() -> None:
    address = "gcomm://10.0.0.1,10.0.0.2:4667, c.lab?gmcast.segment=1"
    assert judgement.other_members(address, {"10.0.0.1"}) == [("10.0.0.2", 4667), ("c.lab", 4567)]


def test_log_of_a_server_tells_how_it_got_its_state() -> None:
    position = f"{UUID}:518"
    assert service.transfer([f"WSREP: SST received: {position}", "WSREP: IST received: x:521"], position) == "IST"
    assert service.transfer([f"WSREP: SST received: {UUID}:900"], position) == "SST"
    assert service.transfer(["WSREP: Synchronized with group"], position) == "no transfer"


def test_complaint_is_the_first_wsrep_error_because_the_others_follow_from_it() -> None:
    lines = [
        "WSREP: gcomm: connecting to group",
        "[ERROR] mariadbd: some plugin",
        "[ERROR] WSREP: failed to open gcomm backend connection: 110: failed to reach primary view",
        "[ERROR] WSREP: wsrep::connect(gcomm://10.20.0.21) failed: 7",
        "[ERROR] Aborting",
    ]
    assert "failed to reach primary view" in service.complaint(lines)
    assert "plugin" in service.complaint(lines[:2])
    assert "no space" in service.complaint(["WSREP: fine", "WSREP: no space left", "WSREP: bye"])
    assert service.complaint([]) == "it said nothing"


def test_process_with_a_file_of_the_datadir_open_holds_it(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "ibdata1").touch()
    with (tmp_path / "ibdata1").open() as held:
        holder = subprocess.Popen(["sleep", "60"], stdin=held)
    try:
        assert [pid for pid, _ in service.holders(str(tmp_path))] == [holder.pid]
    finally:
        holder.kill()
        holder.wait()
    assert service.holders(str(tmp_path)) == []


def test_server_that_stays_after_its_unit_is_stopped_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "state", lambda server: "active")
    monkeypatch.setattr(service, "holders", lambda datadir: [(4711, "mariadbd")])
    server = service_control.Server("mariadb", str(tmp_path), {"service.stop": lambda name: True})
    with pytest.raises(service.ServiceFailed, match=r"mariadbd \(process 4711\) still holds files of"):
        service.stop(server, str(tmp_path), 0.1)
