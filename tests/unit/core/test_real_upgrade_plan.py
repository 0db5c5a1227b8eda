"""The real upgrade, its way back and its last word as pure data: what comes before what, who is asked, and what a model must say."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.support.clouds import CTL, DATABASES, FACTS, KVM, foundation_node, real_pillar
from upgrader.cloud.cloud import Cloud, cloud_from_pillar
from upgrader.errors import Refused, UsageError
from upgrader.plan.stages import make_plan
from upgrader.plan.step import GATE, Built, Kept, Options, Plan, Step, beside
from upgrader.report.text import plan_text

GOLDEN = Path(__file__).parents[2] / "plans"
CFG = "cfg01.lab.local"
KEPT = Kept("20170801T101500Z-1a2b", DATABASES[2], {"name": "c", "uuid": "u", "seqno": 518}, tuple(DATABASES))
RECEIPT = {"node": KVM, "domain": CTL, "run": KEPT.run}
BUILT = Built(KEPT.run, KEPT, False, {CTL: RECEIPT}, True)


GIVEN = Options(built=BUILT)


def plan_of(stage: str, options: Options = GIVEN, pillar: Any = None) -> Plan:
    return make_plan(cloud_of(pillar), "control-plane", stage, FACTS, options)


def cloud_of(pillar: Any = None) -> Cloud:
    return cloud_from_pillar(pillar or real_pillar(), CFG)


def steps(plan: Plan) -> dict[str, Step]:
    return {step.id: step for step in plan.steps()}


def before(found: dict[str, Step], step: str) -> set[str]:
    """Everything that must have ended well before a step."""
    needs = set(found[step].needs)
    return needs.union(*(before(found, one) for one in needs)) if needs else needs


@pytest.mark.parametrize("stage", ["real-upgrade", "rollback", "finish"])
def test_plan_of_the_lab_reads_like_the_golden_file(stage: str) -> None:
    assert plan_text(plan_of(stage)) + "\n" == (GOLDEN / f"lab-{stage}.txt").read_text()


def test_queues_run_dry_while_somebody_still_reads_them() -> None:
    found = steps(plan_of("real-upgrade"))
    assert found["apis-stop"].call.args["kinds"] == ["apis"]
    assert found["workers-stop"].call.args["kinds"] == ["workers", "identity"]
    assert {"apis-stop", "queues-drained"} <= before(found, "workers-stop")
    assert "workers-stop" in before(found, "databases-quiet")


def test_nothing_that_users_notice_happens_before_backup_disks_and_watch_are_there() -> None:
    found = steps(plan_of("real-upgrade"))
    assert {"backup-prove", "machine-disk-ctl01", "watch-start"} <= before(found, "apis-stop")
    for step in (
        "member-hold",
        "machine-off-ctl01",
        "machine-keep-ctl01",
        "machine-keys",
        "keystone-expand",
        "databases-new",
    ):
        assert "apis-stop" in before(found, step)


def test_no_schema_is_touched_and_no_new_machine_starts_before_the_way_back_is_kept() -> None:
    found = steps(plan_of("real-upgrade"))
    for step in ("machine-keys", "machine-start-ctl01", "keystone-expand", "nova-db", "databases-new", "catalogue"):
        assert {"member-window", "objects-written-down", "rows-counted", "machine-keep-ctl01"} <= before(found, step)


def test_machines_go_off_while_the_databases_moment_is_kept_and_both_are_undone_beside_each_other() -> None:
    (kept, _), (back,) = (
        [list(block) for block in beside(plan_of(stage).steps()) if len(block) > 1]
        for stage in ("real-upgrade", "rollback")
    )
    assert (kept, back) == (["databases", "ctl01"], ["databases", "ctl01", "keys"])


def test_production_schemas_run_once_on_the_first_controller_each_service_beside_the_others() -> None:
    found = steps(plan_of("real-upgrade"))
    phases = [step for step in found.values() if step.call.function == "upgrader_schema.phase"]
    assert {step.call.nodes for step in phases} == {(CTL,)}
    assert all(step.call.args["allow_production"] is True for step in phases)
    assert all("--stage rollback" in step.no_undo for step in phases)
    for earlier, later in itertools.pairwise(phases):
        assert (earlier.id in before(found, later.id)) == (earlier.lane == later.lane)
    lanes = [block for block in beside(found.values()) if len(block) > 1]
    assert [sorted(block) for block in lanes[1:]] == [["cinder", "glance", "heat", "keystone", "neutron", "nova"]]


def test_no_service_starts_before_every_schema_is_verified_and_the_catalogue_written() -> None:
    found = steps(plan_of("real-upgrade"))
    verified = {f"verify-{service}" for service in ("keystone", "glance", "nova", "cinder", "neutron", "heat")}
    assert verified | {"catalogue"} <= before(found, "control-start")
    assert verified <= before(found, "catalogue")


def test_what_a_resume_asks_anew_is_never_asked_of_machines_that_are_gone_by_then() -> None:
    asked = [step for step in plan_of("real-upgrade").steps() if step.anew and not step.until]
    assert asked
    for step in asked:
        assert CTL not in step.call.nodes, step.id
    assert not steps(plan_of("real-upgrade"))["cluster-state"].anew


def test_a_controller_that_boots_before_the_last_moment_is_kept_is_made_quiet_again_by_a_resume() -> None:
    again: dict[str, list[str]] = {}
    for step in plan_of("real-upgrade").steps():
        if step.anew and step.until:
            again.setdefault(step.until, []).append(step.id)
    # A machine that was asked to go off is asked nothing more; whether somebody is left on the databases is seen there.
    assert again["machine-off-ctl01"] == ["apis-stop", "queues-drained", "workers-stop"]
    assert again["member-hold"] == ["databases-quiet", "objects-written-down", "rows-counted"]


@pytest.mark.parametrize("stage", ["real-upgrade", "rollback"])
def test_a_master_that_was_started_again_watches_on_until_the_watch_is_over(stage: str) -> None:
    watch = steps(plan_of(stage))["watch-start"]
    assert watch.anew and watch.until == "watch-end"


def test_keys_are_exchanged_when_the_old_machine_is_off_and_before_the_new_one_starts() -> None:
    found = steps(plan_of("real-upgrade"))
    assert {"machine-off-ctl01", "machine-keep-ctl01", "machine-disk-ctl01"} <= before(found, "machine-keys")
    assert "machine-keys" in before(found, "machine-start-ctl01")
    assert found["machine-keys"].call.args["keys"] == {CTL: {"$reply": "machine-disk-ctl01", "key": "minion_key"}}


def test_plug_is_pulled_only_where_it_was_allowed() -> None:
    assert steps(plan_of("real-upgrade"))["machine-off-ctl01"].call.args["hard"] is False
    assert steps(plan_of("real-upgrade", Options(hard_stop=True)))["machine-off-ctl01"].call.args["hard"] is True
    assert steps(plan_of("rollback"))["machine-off-ctl01"].call.args["hard"] is True


def test_proxies_go_off_first_and_every_machine_beside_the_others() -> None:
    pillar = real_pillar()
    pillar[CFG]["upgrader"]["nodes"] |= {"proxy": ["prx01.lab.local"]}
    pillar[KVM] = foundation_node("ctl01", "prx01")
    found = steps(plan_of("real-upgrade", pillar=pillar))
    [lanes] = [block for block in beside(found.values()) if "databases" in block]
    assert list(lanes) == ["databases", "prx01", "ctl01"]
    assert found["apis-stop"].until == "machine-off-prx01"
    assert {"machine-define-prx01", "machine-define-ctl01"} <= before(found, "machine-keys")


def test_small_cluster_keeps_a_proven_and_placed_backup_of_the_last_moment() -> None:
    pillar = real_pillar()
    pillar[CFG]["upgrader"]["nodes"]["database"] = DATABASES[:2]
    found = steps(plan_of("real-upgrade", pillar=pillar))
    assert "member-hold" not in found
    assert {"rows-counted", "databases-quiet"} <= before(found, "backup-create")
    assert {"restore-place", "backup-prove"} <= before(found, "machine-keys")
    built = Options(built=Built("run-1", None, True, {CTL: RECEIPT}, True))
    back = steps(plan_of("rollback", built, pillar))
    assert back["restore-receipt"].call.args["receipt"] == "run-1"
    assert "restore-found" in before(back, "machine-start-ctl01")


def test_way_back_asks_nothing_of_controllers_and_computes_before_they_are_back() -> None:
    gates = [step for step in plan_of("rollback").steps() if step.phase == GATE]
    assert not {CTL, "cmp001.lab.local"} & {node for step in gates for node in step.call.nodes}


def test_machines_start_when_the_kept_member_serves_not_when_the_others_have_joined() -> None:
    found = steps(plan_of("rollback"))
    assert "member-found" in before(found, "machine-start-ctl01")
    assert "member-join-dbs01" not in before(found, "machine-start-ctl01")
    order = list(found)
    assert order.index("verify-apis") < order.index("member-join-dbs01")


def test_way_back_of_a_run_that_kept_nothing_touches_no_database() -> None:
    found = steps(plan_of("rollback", Options(built=Built("run-1"))))
    assert not [
        step for step in found.values() if step.call.function.startswith(("upgrader_member", "upgrader_restore"))
    ]
    assert "machine-keys-back" not in found
    assert found["machine-back-ctl01"].call.args == {"name": CTL, "run": "run-1", "receipt": None}


def test_dead_database_node_is_left_out_of_the_way_back() -> None:
    found = steps(plan_of("rollback", Options(built=BUILT, without=("dbs01",))))
    assert "member-join-dbs01" not in found
    assert DATABASES[0] not in {node for step in found.values() for node in step.call.nodes}


def test_last_word_gives_the_member_back_before_a_disk_goes() -> None:
    found = steps(plan_of("finish"))
    assert "member-verify" in before(found, "machine-discard-ctl01")
    assert found["machine-discard-ctl01"].call.args == {"receipt": RECEIPT}
    with pytest.raises(Refused, match="keeps neither a database member nor a disk"):
        plan_of("finish", Options(built=Built("run-1")))


@pytest.mark.parametrize("stage", ["rollback", "finish"])
def test_stage_about_a_run_wants_one(stage: str) -> None:
    with pytest.raises(UsageError, match="name the run of real-upgrade"):
        plan_of(stage, Options())


def lacking(change: Any) -> str:
    pillar = real_pillar()
    change(pillar)
    with pytest.raises(Refused) as refused:
        plan_of("real-upgrade", pillar=pillar)
    return str(refused.value)


def machines(pillar: Any) -> Any:
    return pillar[KVM]["upgrader"]["machines"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda p: p[CFG]["upgrader"]["nodes"].pop("control"), "upgrader:nodes:control names no controller"),
        (lambda p: p[CFG]["upgrader"]["nodes"].pop("kvm"), "no foundation node says which of them runs ctl01.lab.local"),
        (lambda p: p.update({KVM: foundation_node("ctl02")}), "salt:control:cluster:<name>:node:ctl01:provider"),
        (lambda p: p[KVM]["salt"]["control"]["size"].clear(), "lacks pillar key salt:control:size:openstack.control:cpu"),
        (lambda p: machines(p).pop("images"), "lacks pillar key upgrader:machines:images:ocata:path"),
        (lambda p: machines(p)["images"]["ocata"].update(sha256="abc"), "images:ocata:sha256 (64 digits)"),
        (lambda p: machines(p).pop("salts"), "lacks pillar key upgrader:machines:salts"),
        (lambda p: machines(p).pop("bridges"), "lacks pillar key upgrader:machines:bridges"),
        (lambda p: p[CTL]["upgrader"].pop("production"), "ctl01.lab.local lacks pillar key upgrader:production"),
        (lambda p: p[CTL]["nova"]["controller"]["database"].update(name="nova_upgrade"), "is 'nova_upgrade', and must be 'nova'"),
        (lambda p: p[CTL]["heat"]["server"].update(version="mitaka"), "heat:server:version of ctl01.lab.local is 'mitaka', and must be 'ocata'"),
    ],
)  # fmt: skip
def test_model_that_says_too_little_is_refused_with_key_and_node(change: Any, sentence: str) -> None:
    assert sentence in lacking(change)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda p: p[KVM]["salt"]["control"].update(cluster="text"), "salt:control:cluster of kvm01.lab.local must be a mapping"),
        (lambda p: p[KVM]["salt"]["control"]["cluster"].update(internal=[1]), "cluster:internal of kvm01.lab.local must be a mapping"),
        (lambda p: p[KVM]["salt"]["control"]["size"].update({"openstack.control": True}), "of kvm01.lab.local must be a mapping"),
        (lambda p: p[KVM]["salt"]["control"]["size"]["openstack.control"].update(cpu="many"), "control:cpu of kvm01.lab.local must be a number"),
        (lambda p: machines(p).update(salts="text"), "upgrader:machines:salts of kvm01.lab.local must be a list, and is text"),
        (lambda p: machines(p).update(salts=["text"]), "lacks pillar key upgrader:machines:salts"),
        (lambda p: machines(p).update(nodes=[1]), "upgrader:machines:nodes of kvm01.lab.local must be a mapping, and is a list"),
        (lambda p: p[CFG]["upgrader"].update(watched="http://x"), "upgrader:watched of cfg01.lab.local must be a mapping, and is text"),
        (lambda p: p[CFG]["upgrader"].update(release="mitaka"), "upgrader:release of cfg01.lab.local must be a mapping, and is text"),
        (lambda p: p[CFG].update(upgrader=5), "upgrader of cfg01.lab.local must be a mapping, and is a number"),
    ],
)  # fmt: skip
def test_key_of_another_form_is_refused_with_its_node(change: Any, sentence: str) -> None:
    assert sentence in lacking(change)


def test_everything_that_the_model_lacks_is_said_at_once_and_a_rehearsal_needs_none_of_it() -> None:
    pillar = real_pillar()
    machines(pillar).pop("salts")
    del pillar[CTL]["upgrader"]
    with pytest.raises(Refused, match=r"upgrader:machines:salts.*upgrader:production"):
        plan_of("real-upgrade", pillar=pillar)
    assert plan_of("test-upgrade", Options(), pillar).steps()


def test_bridges_are_those_of_mcps_profile_of_networks_where_ours_are_not_said() -> None:
    pillar = real_pillar()
    del machines(pillar)["bridges"]
    pillar[KVM]["virt"] = {"nic": {"default": {"eth1": {"bridge": "br-ctl"}, "eth0": {"bridge": "br-mgm"}}}}
    assert cloud_of(pillar).production.machines[0].bridges == ("br-mgm", "br-ctl")


def test_cloud_whose_networks_are_contrails_is_asked_for_none_in_its_window() -> None:
    pillar = real_pillar()
    for node in ("upg01.lab.local", CTL):
        pillar[node]["neutron"]["server"]["plugin"] = "contrail"
    found = steps(plan_of("real-upgrade", pillar=pillar))
    assert not [step for step in found if step.startswith("neutron-")]
    for step in ("baseline", "verify-cloud"):
        assert found[step].call.args["without"] == ["neutron"], step
    assert "neutron" not in found["objects-written-down"].call.args["databases"]
