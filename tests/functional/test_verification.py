"""A whole real controller on copies of a Mitaka cloud: verification passes, and each fault is found in the right words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from salt.exceptions import CommandExecutionError

from tests.functional.controller import ADDRESS, ALL, PRODUCTION, SECRETS, Controller, database, systemctl, units
from tests.functional.minion import until
from tests.functional.whole_controller import RUN, answers, forget, verified

pytestmark = pytest.mark.heavy
READS = (
    "catalogue services", "images", "flavors", "compute services", "servers", "networks", "volumes", "orchestration services",
    "placement", "catalogue",
)  # fmt: skip
MAKES = ("flavor", "keypair", "image", "network", "volume type", "project")


def told(controller: Controller, **arguments: Any) -> dict[str, list[str]]:
    """What is wrong, by subject; only that, so that a fault is not found for another reason."""
    found: dict[str, list[str]] = {}
    for finding in verified(controller, **arguments)["findings"]:
        assert finding["severity"] == "blocker" and finding["remedy"]
        found.setdefault(finding["subject"], []).append(finding["what"])
    return found


@contextmanager
def stopped(*names: str) -> Iterator[None]:
    systemctl("stop", *names)
    try:
        yield
    finally:
        systemctl("start", *names)


@contextmanager
def rows(controller: Controller, fault: str, remedy: str) -> Iterator[None]:
    controller.bench.query(fault)
    try:
        yield
    finally:
        controller.bench.query(remedy)


def test_verification_of_an_upgraded_copy_finds_nothing(controller: Controller) -> None:
    first = controller.first
    # Straight after the start, on a machine with more to do, an API may fail once; asked again it has to answer.
    lasting = [one for one in first["findings"] if not one["what"].endswith("(once; asked again it answered)")]
    assert lasting == [], first
    assert sorted(call["call"] for call in first["calls"]) == sorted(READS + MAKES)
    held = {call["call"]: (call["found"], call["expected"]) for call in first["calls"]}
    counts = controller.baseline["counts"]
    assert set(counts) == set(READS) - {"orchestration services", "placement", "catalogue"} and all(counts.values())
    assert set(controller.baseline["left_out"]) >= {
        "rows of nova-ec2", "soft-deleted servers", "images with status killed", "attachments of volumes that are not attached",
    }  # fmt: skip
    same = ("images", "flavors", "servers", "networks", "volumes")
    assert {name: held[name] for name in same} == {name: (counts[name], counts[name]) for name in same}
    assert held["compute services"][0] == counts["compute services"] + 2
    assert held["catalogue services"][0] == counts["catalogue services"] + len(controller.catalogue["added"])
    assert f"compared with the baseline of {RUN}" in first["comment"]


def test_nothing_runs_as_root_and_everything_runs(controller: Controller) -> None:
    running = units()
    assert len(running) == 14
    own = {name: Path(f"/proc/{pid}").owner() for name, pid in running.items()}
    for name, user in own.items():
        expected = {"memcached": "memcache", "rabbitmq-server": "rabbitmq"}.get(name, name.split("-")[0])
        assert user == expected, own


def test_every_service_leaves_names_to_the_systems_resolver(controller: Controller) -> None:
    for name, pid in units().items():
        if name not in ("memcached", "rabbitmq-server"):
            assert b"EVENTLET_NO_GREENDNS=yes" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"), name


@pytest.mark.soak
def test_a_second_run_of_everything_changes_nothing(controller: Controller) -> None:
    before = units()
    for part in ("configured", "upgrade", "running"):
        states = controller.done(
            "upgrader.memcached", "upgrader.rabbitmq", *(f"upgrader.{service}.{part}" for service in ALL)
        )
        assert not {name: state["changes"] for name, state in states.items() if state["changes"]}
    controller.done(*(f"upgrader.{service}.verify" for service in (*ALL, "memcached", "rabbitmq")))
    assert controller.call("upgrader_copy.catalogue")["changed"] is False
    assert controller.call("upgrader_copy.account")["changed"] is False
    again = controller.call("upgrader_verify.baseline", run=RUN, folder=str(controller.root / "baseline"))
    assert again["changed"] is False and again["counts"] == controller.baseline["counts"]
    assert units() == before


@pytest.mark.soak
def test_test_true_starts_and_stops_nothing(controller: Controller) -> None:
    before = units()
    planned = controller.apply(
        *(f"upgrader.{service}.stopped" for service in (*ALL, "memcached", "rabbitmq")), test=True
    )
    assert {state["result"] for state in planned.values()} == {None}
    assert units() == before
    with stopped("glance-api", "heat-api-cfn"):
        planned = controller.apply("upgrader.glance.running", "upgrader.heat.running", test=True)
        assert planned["glance_running"]["result"] is None
        assert (planned["heat_running"]["result"], planned["heat_running"]["comment"]) == (
            None,
            "to start: heat-api-cfn",
        )
        assert set(before) - set(units()) == {"glance-api", "heat-api-cfn"}
    until(lambda: answers(9292) and answers(8000), "glance and heat again")


def test_a_baseline_is_taken_before_the_upgrade_only(controller: Controller) -> None:
    with pytest.raises(CommandExecutionError, match="not at Mitaka's 97: a baseline is taken before the upgrade"):
        controller.call("upgrader_verify.baseline", run="late", folder=str(controller.root / "baseline"))
    assert not list((controller.root / "baseline").glob("late*"))
    with pytest.raises(CommandExecutionError, match="no baseline of run other on this node"):
        verified(controller, run="other")


def spelled(secret: str) -> set[str]:
    """As it is, in URLs, in JSON and Erlang, in oslo.config, and as Python shows it."""
    return {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret.replace("$", "$$"), repr(secret)[1:-1]}


def test_no_secret_is_seen_in_a_process_a_log_or_an_answer(controller: Controller) -> None:
    assert any("upgrader_node.verify.session" in text for text in controller.seen)
    assert any("keystone.cmd.manage" in text for text in controller.seen)
    hidden = {"databases": "", "log and caches": controller.logged(), "processes": "\0".join(controller.seen)}
    hidden["answers"] = json.dumps(
        [controller.first, controller.baseline, controller.catalogue, controller.account, controller.started],
        default=str,
    )
    assert len(hidden["log and caches"]) > 10_000
    for purpose, secret in SECRETS.items():
        spellings = spelled(secret)
        for place, text in hidden.items():
            shown = [text[max(0, text.find(one) - 300) :][:600] for one in spellings if one in text]
            assert not shown, (purpose, place)


def test_no_secret_is_in_a_file_that_others_can_read(controller: Controller) -> None:
    folders = [Path(f"/etc/{name}") for name in (*ALL, "rabbitmq", "systemd/system")] + [
        Path("/var/lib/keystone"),
        Path("/var/log"),
    ]
    private, open_to_all = [], []
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        text = path.read_bytes().decode("utf-8", "replace")
        held = [p for p, secret in SECRETS.items() if any(one in text for one in spelled(secret))]
        if held:
            (open_to_all if path.stat().st_mode & 0o077 else private).append(str(path))
    assert not open_to_all
    assert {"/etc/nova/nova.conf", "/etc/heat/heat.conf", "/etc/rabbitmq/rabbitmq.config"} <= set(private)
    journal = subprocess.run(["journalctl", "--no-pager", "-b"], capture_output=True, timeout=60).stdout.decode(
        "utf-8", "replace"
    )
    assert not [p for p, secret in SECRETS.items() if any(one in journal for one in spelled(secret))]


@contextmanager
def differing(controller: Controller) -> Iterator[dict[str, list[str]]]:
    """Rows of five services that differ, each in its own way; gives what is to be said of them."""
    nova, api, cinder, heat, keystone = (database(name) for name in ("nova", "nova", "cinder", "heat", "keystone"))
    api += "_api"
    counts, ask = controller.baseline["counts"], controller.bench.query
    ids = ", ".join(f"'{row[0]}'" for row in ask(f"SELECT flavorid FROM {api}.flavors"))
    server = ask(f"SELECT uuid FROM {nova}.instances WHERE deleted = 0 ORDER BY id LIMIT 1")[0][0]
    volume, size = ask(f"SELECT id, size FROM {cinder}.volumes WHERE NOT deleted ORDER BY id LIMIT 1")[0]
    (identity, right), (placement, _) = (
        endpoint(controller, *one) for one in (("identity", "admin"), ("placement", "internal"))
    )
    old = f"http://{ADDRESS}:35357/v2.0"
    pairs = (
        (f"UPDATE {nova}.instance_types SET deleted = 0, deleted_at = NULL WHERE flavorid IN ({ids})",
         f"UPDATE {nova}.instance_types SET deleted = id, deleted_at = NOW() WHERE flavorid IN ({ids})"),
        (f"UPDATE {nova}.instances SET deleted = id WHERE uuid = '{server}'",
         f"UPDATE {nova}.instances SET deleted = 0 WHERE uuid = '{server}'"),
        (f"UPDATE {cinder}.volumes SET size = size + 1 WHERE id = '{volume}'",
         f"UPDATE {cinder}.volumes SET size = {size} WHERE id = '{volume}'"),
        (f"UPDATE {heat}.service SET hostname = 'ctl01'", f"UPDATE {heat}.service SET hostname = host"),
        (f"UPDATE {keystone}.endpoint SET url = '{old}' WHERE id = '{identity}'",
         f"UPDATE {keystone}.endpoint SET url = '{right}' WHERE id = '{identity}'"),
        (f"UPDATE {keystone}.endpoint SET enabled = 0 WHERE id = '{placement}'",
         f"UPDATE {keystone}.endpoint SET enabled = 1 WHERE id = '{placement}'"),
    )  # fmt: skip
    with ExitStack() as stack:
        for fault, remedy in pairs:
            stack.enter_context(rows(controller, fault, remedy))
        yield {
            "flavors": [f"flavors: {counts['flavors']} twice or more: "],
            "servers": [f"servers: 1 of {counts['servers']} missing: {server}"],
            "volumes": [f"volumes: 1 changed: {volume} size is {size + 1}, was {size}"],
            "orchestration services": ["no heat engine of this node is up"],
            "catalogue": ["catalogue: placement has no internal endpoint", f"catalogue: identity is offered at {old}"],
        }
    forget()


def test_every_difference_is_named_in_one_verification_and_nothing_else(controller: Controller) -> None:
    """A soak has each of them alone."""
    with differing(controller) as wanted:
        found = told(controller, patience=0)
    assert {subject: len(said) for subject, said in found.items()} == {
        subject: len(said) for subject, said in wanted.items()
    }, found
    for subject, said in wanted.items():
        assert all(any(words in one for one in found[subject]) for words in said), (subject, found[subject])


@pytest.mark.soak
def test_doubled_flavors_are_found_though_the_list_succeeds(controller: Controller) -> None:
    """Nova's main database left at Mitaka: the API adds its flavors to those of the API database, and says nothing."""
    main, api = database("nova"), database("nova") + "_api"
    ids = ", ".join(f"'{row[0]}'" for row in controller.bench.query(f"SELECT flavorid FROM {api}.flavors"))
    gone = f"UPDATE {main}.instance_types SET deleted = id, deleted_at = NOW() WHERE flavorid IN ({ids})"
    with rows(
        controller, f"UPDATE {main}.instance_types SET deleted = 0, deleted_at = NULL WHERE flavorid IN ({ids})", gone
    ):
        found = told(controller)
    count = controller.baseline["counts"]["flavors"]
    assert list(found) == ["flavors"] and f"flavors: {count} twice or more: " in found["flavors"][0], found


@pytest.mark.soak
def test_a_missing_server_is_named(controller: Controller) -> None:
    main = database("nova")
    uuid = controller.bench.query(f"SELECT uuid FROM {main}.instances WHERE deleted = 0 ORDER BY id LIMIT 1")[0][0]
    count = controller.baseline["counts"]["servers"]
    fault = f"UPDATE {main}.instances SET deleted = id WHERE uuid = '{uuid}'"
    with rows(controller, fault, f"UPDATE {main}.instances SET deleted = 0 WHERE uuid = '{uuid}'"):
        assert told(controller) == {"servers": [f"servers: 1 of {count} missing: {uuid}"]}


@pytest.mark.soak
def test_a_changed_size_of_a_volume_is_named_with_both_values(controller: Controller) -> None:
    base = database("cinder")
    uuid, size = controller.bench.query(f"SELECT id, size FROM {base}.volumes WHERE NOT deleted ORDER BY id LIMIT 1")[0]
    with rows(
        controller,
        f"UPDATE {base}.volumes SET size = size + 1 WHERE id = '{uuid}'",
        f"UPDATE {base}.volumes SET size = {size} WHERE id = '{uuid}'",
    ):
        assert told(controller) == {"volumes": [f"volumes: 1 changed: {uuid} size is {size + 1}, was {size}"]}


def test_null_in_forced_down_breaks_the_list_of_compute_services(controller: Controller) -> None:
    main = database("nova")
    row = "WHERE `binary` = 'nova-compute' AND deleted = 0 ORDER BY id LIMIT 1"
    with rows(
        controller,
        f"UPDATE {main}.services SET forced_down = NULL {row}",
        f"UPDATE {main}.services SET forced_down = 0 WHERE forced_down IS NULL",
    ):
        found = told(controller)
    assert "HTTP 500 of GET /os-services" in found["compute services"][0]
    assert set(found) <= {"compute services", "servers"}, "an administrator's list of servers looks at their services"


def test_a_cinder_left_at_mitaka_is_found(controller: Controller) -> None:
    controller.fresh("cinder")
    try:
        found = told(controller)
    finally:
        controller.as_kept("cinder")
    assert list(found) == ["volumes"] and "HTTP 500 of GET /volumes/detail" in found["volumes"][0]


@pytest.mark.soak
@pytest.mark.parametrize(
    ("service", "subject", "status"), [("glance", "images", "HTTP 500"), ("neutron", "networks", "HTTP 500")]
)
def test_other_copies_left_at_mitaka_are_found(controller: Controller, service: str, subject: str, status: str) -> None:
    controller.fresh(service)
    try:
        found = told(controller)
    finally:
        controller.as_kept(service)
    assert status in found[subject][0] and set(found) <= {subject, "servers"}, (
        "servers are listed with their ports' groups"
    )


@pytest.mark.soak
def test_an_engine_of_another_host_is_no_engine_of_this_node(controller: Controller) -> None:
    base = database("heat")
    with rows(
        controller, f"UPDATE {base}.service SET hostname = 'ctl01'", f"UPDATE {base}.service SET hostname = host"
    ):
        found = told(controller, patience=0)
    assert (
        list(found) == ["orchestration services"]
        and "no heat engine of this node is up" in found["orchestration services"][0]
    )


@pytest.mark.soak
def test_a_stopped_heat_engine_is_found_within_its_timeout(controller: Controller) -> None:
    with stopped("heat-engine"):
        answer = verified(controller, patience=0)
    (finding,) = answer["findings"]
    assert "All heat engines are down" in finding["what"] and "journal of the heat services" in finding["remedy"]
    assert answer["seconds"] < 60
    assert verified(controller, patience=60)["findings"] == [], "the engine has registered again"


def test_a_stopped_placement_is_found_by_none_of_the_eight_calls_but_ours(controller: Controller) -> None:
    with stopped("nova-placement-api"):
        found = told(controller)
    assert list(found) == ["placement"] and "Unable to establish connection" in found["placement"][0]
    until(lambda: answers(8778), "placement again")


@pytest.mark.soak
def test_a_placement_with_a_wrong_account_is_found(controller: Controller) -> None:
    """Though the other services have validated tokens by then, and share what they know of them in the cache."""
    conf = Path("/etc/nova/nova.conf")
    text = conf.read_text()
    try:
        conf.write_text(text.replace(f"auth_url = http://{ADDRESS}:35357/v3", f"auth_url = http://{ADDRESS}:1/v3", 1))
        systemctl("restart", "nova-placement-api")
        until(lambda: answers(8778), "placement again")
        found = told(controller)
    finally:
        conf.write_text(text)
        systemctl("restart", "nova-placement-api")
        until(lambda: answers(8778), "placement again")
    assert list(found) == ["placement"] and "HTTP 50" in found["placement"][0], found


def endpoint(controller: Controller, kind: str, interface: str) -> tuple[str, str]:
    base = database("keystone")
    found = controller.bench.query(
        f"SELECT e.id, e.url FROM {base}.endpoint e JOIN {base}.service s ON s.id = e.service_id "
        f"WHERE s.type = '{kind}' AND e.interface = '{interface}' AND e.enabled"
    )
    return str(found[0][0]), str(found[0][1])


@pytest.mark.parametrize(
    ("kind", "interface", "url", "words"),
    [
        ("image", "admin", f"http://{PRODUCTION}:9292", f"catalogue: it leads to http://{PRODUCTION}:9292"),
        pytest.param(
            "identity",
            "admin",
            f"http://{ADDRESS}:35357/v2.0",
            f"catalogue: identity is offered at http://{ADDRESS}:35357/v2.0",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_an_endpoint_of_the_wrong_place_or_version_is_found(
    controller: Controller, kind: str, interface: str, url: str, words: str
) -> None:
    base, (identity, right) = database("keystone"), endpoint(controller, kind, interface)
    change = f"UPDATE {base}.endpoint SET url = '{{}}' WHERE id = '{identity}'"
    with rows(controller, change.format(url), change.format(right)):
        assert told(controller) == {"catalogue": [words]}
        if url.startswith(f"http://{PRODUCTION}"):
            refused = controller.apply("upgrader.keystone.running")
            assert refused["keystone_may_start"]["result"] is False
            assert f"(admin of image) leads to {PRODUCTION}" in refused["keystone_may_start"]["comment"]
            assert controller.call("upgrader_copy.catalogue")["moved"] == 1
            forget()
            assert controller.apply("upgrader.keystone.running")["keystone_may_start"]["result"] is True
    forget()


@pytest.mark.soak
def test_a_missing_interface_is_found(controller: Controller) -> None:
    base, (identity, _) = database("keystone"), endpoint(controller, "placement", "internal")
    change = f"UPDATE {base}.endpoint SET enabled = {{}} WHERE id = '{identity}'"
    with rows(controller, change.format(0), change.format(1)):
        assert told(controller) == {"catalogue": ["catalogue: placement has no internal endpoint"]}


def test_a_stopped_keystone_is_told_within_the_patience(controller: Controller) -> None:
    with stopped("keystone"), pytest.raises(CommandExecutionError) as caught:
        verified(controller, patience=1)
    assert f"keystone at http://{ADDRESS}:5000/v3 gives no token within 1 s" in str(caught.value)
    until(lambda: answers(5000), "keystone again")


def openrc(controller: Controller, password: str) -> str:
    path = controller.root / "openrc"
    path.touch(mode=0o600)
    path.write_text(
        f"export OS_AUTH_URL=http://{ADDRESS}:5000/v2.0\nexport OS_USERNAME=upgrader\n"
        f"export OS_PASSWORD='{password}'\nexport OS_PROJECT_NAME=service\n"
    )
    return str(path)


@pytest.mark.soak
def test_the_account_of_an_openrc_is_used_and_a_wrong_password_is_told_without_it(controller: Controller) -> None:
    with pytest.raises(CommandExecutionError) as caught:
        verified(controller, openrc=openrc(controller, "wr0ng-w0rd"))
    assert str(caught.value) == "keystone does not accept user upgrader"
    answer = verified(controller, openrc=openrc(controller, SECRETS["account"]))
    assert answer["findings"] == [] and "openrc" in answer["comment"]


@pytest.mark.soak
def test_what_a_killed_check_left_behind_is_swept(controller: Controller) -> None:
    order = {
        "auth": {
            "auth_url": f"http://{ADDRESS}:5000/v3", "username": "upgrader", "password": SECRETS["account"],
            "project_name": "service", "region": "RegionOne",
        }
    }  # fmt: skip
    script = (
        "import json, sys; sys.path.insert(0, '/src/formulas/_utils'); from upgrader_node.verify import client, objects\n"
        "cloud = client.Client(json.load(sys.stdin))\n"
        "for kind, service, path, body, key in objects.OBJECTS:\n"
        "    (body[key] if key else body)['name'] = objects.PREFIX + 'left'\n"
        "    cloud.call('POST', service, path, 60, body)\n"
    )
    made = subprocess.run(
        ["/opt/clients/bin/python", "-B", "-c", script],
        input=json.dumps(order),
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert made.returncode == 0, made.stderr
    assert verified(controller)["findings"] == [], "what carries our prefix is no difference"
    answer = verified(controller, change=True)
    assert answer["findings"] == []
    swept = {call["call"]: call["found"] for call in answer["calls"] if call["call"] in MAKES}
    assert swept == dict.fromkeys(MAKES, 1)
    left = {call["call"]: call["found"] for call in verified(controller, change=True)["calls"] if call["call"] in MAKES}
    assert left == dict.fromkeys(MAKES, 0)
