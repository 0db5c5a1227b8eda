"""Stages of clouds that are not the lab's: three controllers, a backup node beside the master, two database nodes, nobody who watches."""

# ruff: noqa: F811  the fixtures

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.support.clouds import CTL, DATABASES, FACTS, KVM, controller, foundation_node, real_pillar
from tests.support.salt_in_memory import SaltInMemory
from tests.unit.core.test_cli import Command, command, salt  # noqa: F401
from upgrader.cloud.cloud import DATABASE, Cloud, cloud_from_pillar
from upgrader.content import FORMULAS
from upgrader.errors import Refused, UsageError
from upgrader.plan.catalogue import catalogue_of
from upgrader.plan.check import Ground, check_plan
from upgrader.plan.references import RUN_ID, reply_of
from upgrader.plan.stages import STAGES, make_plan
from upgrader.plan.step import GATE, WORK, Built, Kept, Options, Step
from upgrader.transport.master import MasterTransport

CFG, MSG, CMP, UPG = "cfg01.lab.local", "msg01.lab.local", "cmp001.lab.local", "upg01.lab.local"
STORES = ("bck01.lab.local", "bck02.lab.local")
CONTROLLERS = (CTL, "ctl02.lab.local", "ctl03.lab.local")
MINUTE, HOUR = 60, 3600
KEPT = Kept("run-1", DATABASES[2], {"uuid": "u", "seqno": 518}, tuple(DATABASES))
RECEIPTS = {node: {"node": KVM, "domain": node, "run": "run-1"} for node in CONTROLLERS}


def wide_pillar(databases: int = 3, watched: bool = True) -> dict[str, Any]:
    """Three controllers, and two backup nodes of which neither is the Salt master's machine."""
    pillar: dict[str, Any] = real_pillar()
    own = pillar[CFG]["upgrader"]
    own["nodes"] |= {"backup": list(STORES), "control": list(CONTROLLERS), "database": DATABASES[:databases]}
    if not watched:
        del own["watched"]
    held = {store: {"upgrader": {key: own[key] for key in ("databases", "backup")}} for store in STORES}
    built = {node: controller() for node in CONTROLLERS}
    machines = foundation_node(*(node.split(".", 1)[0] for node in CONTROLLERS))
    return {**pillar, **held, **built, KVM: machines}


def wide(databases: int = 3, watched: bool = True) -> Cloud:
    return cloud_from_pillar(wide_pillar(databases, watched), CFG)


def steps(stage: str, cloud: Cloud, options: Options | None = None, part: str = "control-plane") -> dict[str, Step]:
    kept = KEPT if len(cloud.role(DATABASE)) > 2 else None
    given = Options(receipt="b1", kept=kept, built=Built("run-1", kept, kept is None, RECEIPTS, keys=True))
    plan = make_plan(cloud, part, stage, FACTS, options or given)
    check_plan(plan, Ground(MasterTransport.kinds, catalogue_of(FORMULAS), {*cloud.all_nodes, cloud.master}))
    return {step.id: step for step in plan.steps()}


def before(found: dict[str, Step], step: str) -> set[str]:
    """Everything that must have ended well before a step."""
    needs = set(found[step].needs)
    return needs.union(*(before(found, one) for one in needs)) if needs else needs


def test_salt_master_need_not_hold_a_role_to_be_named_by_a_plan(command: Command, salt: SaltInMemory) -> None:
    salt.pillar = wide_pillar()
    ran = command("plan", "control-plane", "--stage", "real-upgrade")
    assert ran.code == 0, ran.err
    assert "upgrader_key.check" in ran.out


@pytest.mark.parametrize(
    "step", ["baseline", "catalogue", "keystone-keys-sealed", "verify-cloud", "verify-nova-status"]
)
def test_what_controllers_share_is_asked_of_the_first_one_only(step: str) -> None:
    assert steps("real-upgrade", wide())[step].call.nodes == (CTL,)


@pytest.mark.parametrize(
    ("stage", "step"),
    [
        ("real-upgrade", "source-versions"),
        ("real-upgrade", "databases-new"),
        ("rollback", "computes-at-source"),
        ("rollback", "verify-objects"),
    ],
)
def test_databases_are_asked_from_the_first_backup_node_only(stage: str, step: str) -> None:
    assert steps(stage, wide())[step].call.nodes == STORES[:1]


@pytest.mark.parametrize(
    ("part", "stage", "nodes"),
    [
        ("control-plane", "real-upgrade", {CFG, *STORES, *DATABASES, KVM, MSG, CMP}),
        ("control-plane", "rollback", {CFG, *STORES, *DATABASES, KVM}),
        ("control-plane", "finish", {CFG, *STORES, *DATABASES, KVM}),
        ("backup", "create", {*STORES, *DATABASES}),
        ("backup", "restore", {*STORES, *DATABASES}),
    ],
)
def test_every_node_that_a_stage_works_on_is_first_asked_whether_it_answers(
    part: str, stage: str, nodes: set[str]
) -> None:
    found = steps(stage, wide(), part=part)
    assert set(found["nodes-answer"].call.nodes) == nodes
    assert set(found["modules-current"].call.nodes) == set(found["pillar-current"].call.nodes) == nodes


def test_way_back_asks_database_nodes_only_where_databases_go_back() -> None:
    small = wide(databases=2)
    assert set(DATABASES[:2]) <= set(steps("rollback", small)["nodes-answer"].call.nodes)
    untouched = steps("rollback", small, Options(built=Built("run-1", None, False, RECEIPTS)))
    assert not set(DATABASES) & {node for step in untouched.values() for node in step.call.nodes}


def test_keystones_keys_go_from_the_first_controller_to_each_other_one_sealed_for_it_alone() -> None:
    found = steps("real-upgrade", wide())
    asked, sealed, shared = (found[f"keystone-{one}"].call for one in ("recipients", "keys-sealed", "keys-shared"))
    assert (asked.function, asked.nodes) == ("upgrader_key.public", (CFG,)), "the master knows the minions' keys"
    assert asked.args == {"nodes": list(CONTROLLERS[1:])}
    assert (sealed.function, sealed.nodes) == ("upgrader_keystone.seal", (CTL,))
    assert sealed.args == {"recipients": reply_of("keystone-recipients", "keys")}
    assert (shared.function, shared.nodes) == ("upgrader_keystone.unseal", CONTROLLERS[1:])
    assert shared.args == {
        "run": RUN_ID,
        "sealed": reply_of("keystone-keys-sealed", "sealed"),
        "hashes": reply_of("keystone-keys-sealed", "hashes"),
    }


def test_keystones_keys_are_there_once_its_schema_is_and_before_any_service_starts() -> None:
    found = steps("real-upgrade", wide())
    order = ("verify-keystone", "keystone-recipients", "keystone-keys-sealed", "keystone-keys-shared")
    for earlier, later in itertools.pairwise(order):
        assert earlier in before(found, later)
    assert {"keystone-keys-shared", "catalogue", "verify-heat"} <= before(found, "verify-cloud")
    assert found["keystone-keys-shared"].no_undo == found["catalogue"].no_undo, "the way back is that of the stage"
    assert found["keystone-recipients"].no_undo == found["keystone-keys-sealed"].no_undo == "it only reads"


def test_one_controller_has_nobody_to_share_keys_with() -> None:
    lone = cloud_from_pillar(real_pillar(), CFG)
    assert not [one for one in steps("real-upgrade", lone) if one.startswith("keystone-keys")]


@pytest.mark.parametrize("deployment", ["builtin", "mcp"])
def test_what_production_holds_is_written_down_when_every_row_of_the_configuration_is_there(deployment: str) -> None:
    pillar = wide_pillar()
    pillar[CFG]["upgrader"]["deployment"] = deployment
    cloud = cloud_from_pillar(pillar, CFG)
    found = steps("real-upgrade", cloud)
    configured = {row.id for row in cloud.deployment.control_before} & set(found)
    assert configured and configured <= before(found, "baseline")


def test_window_waits_for_a_watcher_only_where_somebody_watches() -> None:
    assert "watch-start" in before(steps("real-upgrade", wide()), "apis-stop")
    unwatched = steps("real-upgrade", wide(watched=False))
    assert "apis-stop" in unwatched and "watch-start" not in unwatched


def test_real_upgrade_keeps_the_member_that_the_operator_names() -> None:
    found = steps("real-upgrade", wide(), Options(member="dbs01"))
    assert found["member-fits"].call.args["holder"] == DATABASES[0]
    assert found["member-hold"].call.nodes == (DATABASES[0],)


def test_small_cluster_goes_back_to_a_backup_that_is_proven_to_be_of_this_cloud() -> None:
    found = steps("real-upgrade", wide(databases=2))
    proven = found["restore-receipt"]
    assert (proven.call.function, proven.call.nodes) == ("upgrader_store.require_proven", STORES[:1])
    assert proven.call.args == {"receipt": RUN_ID, "cloud": "lab"}
    assert proven.title == "the backup is proven, of this cloud and byte for byte whole"
    assert "backup-prove" in before(found, "restore-receipt")


def test_single_database_server_is_told_of_as_one() -> None:
    titles = {one: step.title for one, step in steps("restore", wide(databases=1), part="backup").items()}
    assert titles["restore-stop"] == "stop the database server"
    assert titles["restore-found"] == "start the first database server"


@pytest.mark.parametrize(
    ("part", "stage", "databases", "step", "seconds"),
    [
        ("control-plane", "real-upgrade", 2, "restore-receipt", 4 * HOUR),
        ("control-plane", "real-upgrade", 2, "backup-create", 4 * HOUR),
        ("control-plane", "rollback", 3, "verify-objects", 30 * MINUTE),
        ("backup", "prune", 3, "prune", HOUR),
        ("backup", "prove", 3, "backup-prove", 4 * HOUR),
    ],
)
def test_step_that_reads_whole_databases_has_the_time_for_it(
    part: str, stage: str, databases: int, step: str, seconds: int
) -> None:
    assert steps(stage, wide(databases), part=part)[step].call.timeout == seconds


@pytest.mark.parametrize(
    ("part", "stage", "sentence"),
    [
        ("backup", "prove", "name the backup to prove; 'upgrader backup list' shows them"),
        ("backup", "place", "name the backup by its id; 'upgrader backup list' shows them"),
        ("backup", "rejoin", "name the run that keeps the member; 'upgrader history' lists the runs"),
        ("control-plane", "rollback", "name the run of real-upgrade that is taken back; 'upgrader history' lists the runs"),
        ("control-plane", "finish", "name the run of real-upgrade that is closed; 'upgrader history' lists the runs"),
    ],
)  # fmt: skip
def test_stage_that_is_about_something_says_where_its_name_is_found(part: str, stage: str, sentence: str) -> None:
    with pytest.raises(UsageError) as told:
        steps(stage, wide(), Options(), part)
    assert str(told.value) == sentence


def test_way_back_without_machines_in_the_model_says_what_the_model_lacks() -> None:
    pillar = real_pillar()
    pillar[CFG]["upgrader"]["nodes"].pop("kvm")
    cloud = cloud_from_pillar(pillar, CFG)
    with pytest.raises(Refused) as told:
        steps("rollback", cloud)
    lacking = "; ".join(cloud.production.lacking)
    assert lacking and str(told.value) == f"the model does not say which machines were built anew: {lacking}"


def every_step(databases: int) -> list[Step]:
    cloud, part = wide(databases), "control-plane"
    found = [
        *steps("real-upgrade", cloud).values(),
        *steps("rollback", cloud).values(),
        *steps("finish", cloud).values(),
    ]
    for row in STAGES:
        if row.part == "backup" and (databases > 2 or row.name not in ("hold", "back", "rejoin")):
            found += steps(row.name, cloud, part=row.part).values()
    return [*found, *steps("test-upgrade", cloud, part=part).values()]


@pytest.mark.parametrize("databases", [1, 3])
def test_every_step_has_a_name_a_sentence_and_something_that_it_stands_on(databases: int) -> None:
    for step in every_step(databases):
        assert step.id.replace("-", "").isalnum() and step.id == step.id.lower(), step
        assert step.title.split()[0] != step.title and not step.title.isupper(), step
        assert step.needs or step.id in ("nodes-answer", "machines-answer"), step
        assert isinstance(step.call.timeout, int) and step.call.timeout >= MINUTE, step
        assert step.phase != WORK or (step.no_undo and isinstance(step.no_undo, str)), step


def test_gates_alone_come_before_anything_is_changed() -> None:
    phases = [step.phase for step in steps("real-upgrade", wide()).values()]
    assert set(phases[: phases.index(WORK)]) == {GATE} and GATE not in phases[phases.index(WORK) :]
