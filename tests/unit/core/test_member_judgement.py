"""What refuses to keep a member, to go back by it and to give it back: each one sentence with its remedy."""

from __future__ import annotations

from typing import Any

import pytest
from upgrader_node.restore import kept, kept_judgement
from upgrader_node.restore.kept_judgement import Asked

from tests.support.member_world import GIVEN, NODE, OTHER, UUID

WELL: dict[str, Any] = {
    "galera": True, "name": "c", "address": "gcomm://a,b,c", "uuid": UUID, "seqno": 518, "size": 3,
    "cluster_status": "Primary", "state": "Synced", "ready": True, "desync": False,
}  # fmt: skip
FACTS: dict[str, Any] = {
    "state": WELL,
    "kept_by": "",
    "stopped_for_it": False,
    "datadir": "/var/lib/mysql",
    "unrenamable": "",
    "options": {"wsrep_cluster_address": "gcomm://a,b,c"},
    "addresses": {},
    "founder": True,
    "needed": 10,
    "free": 100,
    "data": 10,
    "gcache": 100,
    "clients": 0,
    "uuid": UUID,
    "aside": False,
}
UNTOUCHED: dict[str, Any] = {"service": "inactive", "state": {}, "position": (UUID, 518), "fingerprint": "f"}
RECEIPT: dict[str, Any] = {**GIVEN, "state": kept.KEPT, "fingerprint": "f", "enabled": True}


def keeping(node: str, **changed: Any) -> list[dict[str, Any]]:
    return kept_judgement.before_keeping(Asked(node, "run-1", NODE, 3), {**FACTS, **changed})


def state(**changed: Any) -> dict[str, Any]:
    return {**WELL, **changed}


@pytest.mark.parametrize("node", [NODE, OTHER])
def test_cluster_that_is_well_can_do_without_one_member(node: str) -> None:
    assert keeping(node) == []


@pytest.mark.parametrize(
    ("node", "facts", "words"),
    [
        (NODE, {"state": state(size=2)}, "sees 2 members, the model has 3"),
        (OTHER, {"state": state(size=4)}, "sees 4 members, the model has 3"),
        (OTHER, {"state": state(size=1, cluster_status="non-Primary")}, "has no quorum (non-Primary)"),
        (NODE, {"state": state(state="Donor/Desynced")}, "is Donor/Desynced, not Synced"),
        (OTHER, {"state": state(state="Joining")}, "is Joining, not Synced"),
        (OTHER, {"state": {"refused": "error 2002"}}, "says nothing (error 2002)"),
        (NODE, {"state": {"galera": False}}, "is no member of a Galera cluster"),
        (NODE, {"founder": False}, "cannot found a cluster"),
        (NODE, {"options": {"wsrep_cluster_address": "gcomm://"}}, "has the cluster address 'gcomm://'"),
        (NODE, {"kept_by": "is the kept member of run run-0"}, "is the kept member of run run-0"),
        (OTHER, {"unrenamable": "it is a mount point of its own"}, "cannot rename /var/lib/mysql"),
        (
            OTHER,
            {"free": 1000000, "needed": 5000000},
            "has 1 MB free beside /var/lib/mysql and the way back needs 5 MB",
        ),
        (OTHER, {"options": {**FACTS["options"], "wsrep_sst_donor": "dbs03"}}, "takes its state from dbs03 only"),
        (OTHER, {"options": {**FACTS["options"], "wsrep_sst_method": "mysqldump"}}, "gets its state by mysqldump"),
    ],
)
def test_what_does_not_fit_is_one_blocker_with_a_remedy(node: str, facts: dict[str, Any], words: str) -> None:
    found = keeping(node, **facts)
    told = [one["what"] for one in found if words in one["what"]]
    assert told
    assert all(one["severity"] == "blocker" and one["remedy"] for one in found)


def test_member_of_another_run_is_free_again_by_two_commands() -> None:
    assert "'upgrader backup rejoin run-0'" in keeping(NODE, kept_by="is the kept member of run run-0")[0]["remedy"]


@pytest.mark.parametrize("donor", ["dbs03,", "dbs02,dbs03", "dbs02", ""])
def test_donor_beside_the_kept_one_is_enough(donor: str) -> None:
    assert keeping(OTHER, options={**FACTS["options"], "wsrep_sst_donor": donor}) == []


def test_resumed_run_minds_neither_its_own_stop_nor_that_the_others_are_two() -> None:
    assert keeping(NODE, stopped_for_it=True, state={"refused": "error 2002"}) == []
    assert keeping(OTHER, state=state(size=2)) == []


def test_small_cache_and_clients_are_only_warnings() -> None:
    found = keeping(OTHER, gcache=128 << 20, data=373 << 20, clients=4)
    assert [one["severity"] for one in found] == ["warning", "warning"]
    assert "keeps 134 MB of writes" in found[0]["what"]
    assert "SST" in found[0]["remedy"]


def test_who_is_told_to_start_members_is_told_to_leave_the_kept_one_alone() -> None:
    found = keeping(OTHER, state=state(size=1, cluster_status="non-Primary", state="Initialized"))
    told = [one["remedy"] for one in found if "members" in one["remedy"] or "missing" in one["remedy"]]
    assert len(told) == 2
    assert all(f"but not {NODE}, if a run keeps it" in remedy for remedy in told)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("base_dir = /var/lib/mysql/; gcache.size = 128M; gcs.fc_limit = 16", 128 << 20),
        ("gcache.page_size = 1G; gcache.size = 2G", 2 << 30),
        ("gcache.size=1048576", 1 << 20),
        ("", 0),
        ("gcache.size = much", 0),
    ],
)
def test_size_of_the_cache_is_read_from_the_providers_options(options: str, size: int) -> None:
    assert kept_judgement.cache_size(options) == size


def back(receipt: dict[str, Any] = RECEIPT, **changed: Any) -> list[dict[str, Any]]:
    return kept_judgement.way_back_of_member(NODE, receipt, "back-1", {**FACTS, **UNTOUCHED, **changed})


def test_untouched_member_can_found_the_cluster() -> None:
    assert back() == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"service": "active", "state": state(seqno=900)},
            "was started by somebody: it was kept at seqno 518 and is at seqno 900",
        ),
        ({"service": "activating"}, "is saying nothing yet"),
        ({"position": (UUID, 900)}, "and was kept at"),
        ({"position": ("", -1)}, "somebody started it, or changed the file"),
        ({"fingerprint": "g"}, "has other files than when it was kept"),
    ],
)
def test_touched_member_is_refused_and_the_proven_backup_named(changed: dict[str, Any], words: str) -> None:
    (one,) = back(**changed)
    assert words in one["what"]
    assert "upgrader backup restore ID" in one["remedy"]


def test_member_that_founds_for_this_way_back_may_have_moved_on() -> None:
    assert back({**RECEIPT, "state": kept.FOUNDING}, service="active", state=state(seqno=520)) == []


def test_way_back_that_was_cut_off_at_its_last_line_can_be_resumed() -> None:
    assert back({**RECEIPT, "state": kept.BACK, "back": "back-1"}, service="active", state=state(seqno=520)) == []


@pytest.mark.parametrize(
    ("state", "words"),
    [(kept.BACK, "gone back to already"), (kept.REJOINED, "given back"), (kept.REPLACED, "replaced by a restore")],
)
def test_member_that_is_kept_no_more_is_no_way_back(state: str, words: str) -> None:
    assert words in back({**RECEIPT, "state": state})[0]["what"]


def other(**changed: Any) -> list[dict[str, Any]]:
    return kept_judgement.way_back_of_other(
        Asked(OTHER, "back-1", NODE, 3), GIVEN["galera"], {**FACTS, "state": state(size=2), **changed}
    )


def test_other_member_can_be_put_aside_with_and_without_quorum() -> None:
    assert other() == []
    assert other(state=state(size=1, cluster_status="non-Primary", state="Initialized")) == []
    assert other(state={"refused": "down"}) == []


def test_other_member_that_is_aside_already_is_asked_nothing_more() -> None:
    assert other(aside=True, uuid="x", free=0) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"uuid": "11111111-2222-3333-4444-555555555555"}, "the cluster was founded anew since"),
        ({"state": state(size=3)}, "sees 3 members, and 2 are left without the kept one: a member was added since"),
        ({"unrenamable": "it is a mount point of its own"}, "cannot rename"),
        ({"free": 0}, "the way back needs"),
    ],
)
def test_cluster_that_is_another_one_now_is_refused(changed: dict[str, Any], words: str) -> None:
    (one,) = other(**changed)
    assert words in one["what"]
    assert one["remedy"]


def test_member_that_the_cluster_was_founded_from_has_nothing_to_rejoin() -> None:
    assert kept_judgement.not_to_rejoin(NODE, RECEIPT) == []
    assert kept_judgement.not_to_rejoin(NODE, {**RECEIPT, "state": kept.REJOINED}) == []
    for there in (kept.FOUNDING, kept.BACK, kept.REPLACED):
        assert kept_judgement.not_to_rejoin(NODE, {**RECEIPT, "state": there})[0]["severity"] == "blocker"
    assert UUID in kept_judgement.of_another_cluster(OTHER, "x", UUID)["what"]
