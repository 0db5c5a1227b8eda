"""Every SLS of a controller through Salt's real loader: rendered for both engines, refused when the model is incomplete, applied twice."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from upgrader_node.service import required

from tests.functional.bench import REPOSITORY
from tests.functional.controller import ADDRESS, ALL, ROLE_KEYS, SECRETS, UNITS, Node, pillar, systemctl, units
from tests.functional.copies import VENVS
from tests.functional.snapshot import snapshot

FOUNDATION = ("haproxy", "keepalived", "memcached", "rabbitmq", "apache", "horizon")
PARTS = ("installed", "configured", "running", "stopped", "init", "upgrade", "verify", "backup", "restore")
SLS = [f"upgrader.{service}.{part}" for service in ALL for part in PARTS] + [
    f"upgrader.{service}.{part}"
    for service in FOUNDATION
    for part in ("init", "stopped", "upgrade", "verify", "backup", "restore")
]
CONFS = {
    "keystone": ["/etc/keystone/keystone.conf"],
    "glance": ["/etc/glance/glance-api.conf"],
    "nova": ["/etc/nova/nova.conf"],
    "cinder": ["/etc/cinder/cinder.conf"],
    "neutron": ["/etc/neutron/neutron.conf", "/etc/neutron/plugins/ml2/ml2_conf.ini"],
    "heat": ["/etc/heat/heat.conf"],
}
CLOUDS_OF_MCP = [
    *(pytest.param(one, marks=pytest.mark.soak) for one in ("collapsed-nfs", "contrail-swift")),
    "ha-ceph-dvr",
]
MEMBERS = ["10.20.0.11", "10.20.0.12", "10.20.0.13"]


def whole(engine: str = "venv", cluster: bool = False) -> dict[str, Any]:
    """Pillar of a controller with all that the formulas know; ``cluster`` is one of three instead of one alone."""
    held = pillar(own=False)
    for service in ALL:
        role = held[service][ROLE_KEYS.get(service, "server")]
        role["engine"] = engine
        if engine == "pkg":
            del role["venv"]
        if cluster:
            role["cache"]["members"] = [{"host": host, "port": 11211} for host in MEMBERS]
            role["message_queue"]["members"] = [{"host": host} for host in MEMBERS]
    held["horizon"] = {
        "server": {
            "engine": engine, "bind": {"address": ADDRESS, "port": 8078}, "secret_key": SECRETS["cookie"],
            "identity": {"engine": "keystone", "host": ADDRESS, "port": 5000, "encryption": "none"},
            "cache": {"engine": "memcached", "members": [{"host": ADDRESS, "port": 11211}]},
        }
    }  # fmt: skip
    vip = {
        "address": "10.20.0.10",
        "password": SECRETS["cookie"],
        "interface": "host0",
        "virtual_router_id": 60,
        "priority": 103,
    }
    held["keepalived"] = {"cluster": {"enabled": True, "instance": {"VIP": vip}}}
    held["haproxy"] = {"proxy": {"enabled": True, "mode": "tcp", "listen": listens()}}
    return held


def listens() -> dict[str, Any]:
    """The listens that ship as classes, with the parameters that reclass would put in, and some of production's kinds."""
    values = {"cluster_vip_address": "127.0.0.1"}
    for number, host in enumerate(MEMBERS, 1):
        values[f"cluster_node0{number}_hostname"] = f"ctl0{number}"
        values[f"cluster_node0{number}_address"] = host
    found: dict[str, Any] = {}
    for path in sorted((REPOSITORY / "reclass_classes" / "haproxy" / "proxy" / "listen" / "openstack").glob("*.yml")):
        text = re.sub(r"\$\{_param:(\w+)\}", lambda match: values[match.group(1)], path.read_text())
        found.update(yaml.safe_load(text)["parameters"]["haproxy"]["proxy"]["listen"])
    assert {"glare", "nova_placement_api"} <= set(found)
    servers = [{"name": f"ctl{n}", "host": host, "port": 5000, "params": "check"} for n, host in enumerate(MEMBERS)]
    found["keystone_public_api"] = {
        "type": "openstack-service", "service_name": "keystone", "servers": servers,
        "binds": [{"address": "127.0.0.1", "port": 15000}, {"address": "127.0.0.2", "port": 15000}],
    }  # fmt: skip
    found["mysql_cluster"] = {
        "type": "mysql", "service_name": "mysql", "binds": [{"address": "127.0.0.1", "port": 13306}],
        "options": ["mysql-check user haproxy"], "servers": [{**one, "port": 3306, "params": "check backup"} for one in servers],
    }  # fmt: skip
    found["rabbitmq_off"] = {"enabled": False, "type": "rabbitmq", "binds": [], "servers": []}
    return found


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    made = Node()
    yield made
    systemctl("stop", *UNITS)
    made.close()


ENGINES = pytest.mark.parametrize("engine", ["venv", pytest.param("pkg", marks=pytest.mark.soak)])


def shows_no_secret(shown: Any) -> None:
    text = json.dumps(shown, default=str)
    for secret in SECRETS.values():
        assert json.dumps(secret)[1:-1] not in text and quote(secret, safe="") not in text


@pytest.mark.parametrize(
    ("engine", "cluster"),
    [
        pytest.param("venv", False, marks=pytest.mark.soak, id="venv-single"),
        pytest.param("venv", True, id="venv-cluster"),
        pytest.param("pkg", False, id="pkg-single"),
        pytest.param("pkg", True, marks=pytest.mark.soak, id="pkg-cluster"),
    ],
)
def test_every_sls_renders_and_shows_no_secret(node: Node, engine: str, cluster: bool) -> None:
    node.use(whole(engine, cluster))
    shown = node.shown(*(sls.replace(".init", "") for sls in SLS))
    shows_no_secret(shown)
    silent = {sls for sls in SLS if not sls.endswith((".init", ".upgrade"))} - {
        body["__sls__"] for body in shown.values()
    }
    assert not {sls.replace(".init", "") for sls in silent}


def listed(shown: dict[str, Any], module: str, function: str) -> list[dict[str, Any]]:
    """Arguments of every state of one kind."""
    found = []
    for body in shown.values():
        for one in body.get(module, []) if isinstance(body, dict) else []:
            if one == function:
                found.append({k: v for part in body[module] if isinstance(part, dict) for k, v in part.items()})
    return found


def test_packages_are_plain_names_of_the_distribution(node: Node) -> None:
    node.use(whole("pkg"))
    for service in ALL:
        (asked,) = listed(node.shown(f"upgrader.{service}.installed"), "pkg", "installed")
        assert asked["pkgs"] and all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name) for name in asked["pkgs"]), asked
        assert any(name.startswith(service) for name in asked["pkgs"])
    (asked,) = listed(node.shown("upgrader.horizon"), "pkg", "installed")
    assert "openstack-dashboard" in asked["pkgs"]


def test_environments_hold_the_versions_that_the_formulas_pin(node: Node) -> None:
    node.use(whole("venv"))
    node.done(*(f"upgrader.{service}.installed" for service in ALL))
    with node.changed("glance", venv=str(VENVS["heat"])):
        state = node.apply("upgrader.glance.installed")["glance_installed"]
    assert state["result"] is False and "glance is missing, not 15.0.2" in state["comment"]


ROLES = {role: role.split(":")[0] for role in required.REQUIRED if not role.startswith("upgrader:")}
WRITING = [f"upgrader.{service}.configured" if service in ALL else f"upgrader.{service}" for service in ROLES.values()]


def everything() -> dict[str, Any]:
    return {path: what for service in ROLES.values() for path, what in snapshot(service).items()}


@ENGINES
def test_an_incomplete_model_is_refused_before_a_file_is_written(node: Node, engine: str) -> None:
    """Every key that a role needs is missing at once: all are named, and nothing is touched."""
    held, before = whole(engine), everything()
    for role in ROLES:
        for keys, _ in required.REQUIRED[role]:
            for key in keys.split(required.OR):
                *way, last = f"{role}:{key}".split(":")
                place: Any = held
                for word in way:
                    place = place.get(word, {})
                place.pop(last, None)
    node.use(held)
    states = node.apply(*WRITING, *(f"upgrader.{service}.running" for service in ALL))
    for role, service in ROLES.items():
        refusal = states[f"{service}_model"]
        assert refusal["result"] is False and "nothing was written" in refusal["comment"]
        assert not [
            key
            for key, _ in required.REQUIRED[role]
            if f"{role}:{key.split(required.OR)[0]} (" not in refusal["comment"]
        ]
    passed = {name: state["comment"] for name, state in states.items() if state["result"] is not False}
    assert not passed, "what follows is held back"
    assert not [name for name, state in states.items() if state["changes"]]
    assert everything() == before


@ENGINES
def test_what_no_state_reads_is_refused_by_name_before_a_file_is_written(node: Node, engine: str) -> None:
    """A key of every role that nobody reads: each state names it, shows no value, and touches nothing."""
    held, before = whole(engine), everything()
    for role, service in ROLES.items():
        held[service][role.split(":")[1]]["gadget"] = {"size": SECRETS["account"], "speeds": [1, 2]}
    node.use(held)
    states = node.apply(*WRITING, *(f"upgrader.{service}.running" for service in ALL))
    for role, service in ROLES.items():
        refusal = states[f"{service}_model"]
        assert refusal["result"] is False
        assert f"nothing was written: pillar {role} sets 2 keys that" in refusal["comment"]
        assert "(gadget:size, gadget:speeds)" in refusal["comment"]
        assert ("under pillar upgrader:service:" in refusal["comment"]) is (service in ALL)
        assert node.call("upgrader_model.unread", role) == ["gadget:size", "gadget:speeds"]
    assert not {name: state["comment"] for name, state in states.items() if state["result"] is not False}
    assert not [name for name, state in states.items() if state["changes"]]
    assert everything() == before
    shows_no_secret(states)


def test_what_pillar_names_as_ignored_is_written_around(node: Node) -> None:
    held = whole()
    held["upgrader"] = {"service": {service: {"ignored": ["gadget"]} for service in ROLES.values()}}
    for role, service in ROLES.items():
        held[service][role.split(":")[1]]["gadget"] = {"size": 1}
    node.use(held)
    states = node.apply(*WRITING, test=True)
    assert not {name: state["comment"] for name, state in states.items() if state["result"] is False}
    assert "memcached:server" in states["memcached_model"]["comment"], "the word on what is ignored describes no cache"


def test_pass_through_is_in_the_file_and_nowhere_else(node: Node) -> None:
    secret = "pass$through/%1"
    held = whole()
    own = {
        "DEFAULT": {"reserved_host_disk_mb": 2048, "osapi_compute_workers": 3},
        "own": {"token": secret, "flags": ["a", "b"]},
    }
    neutron = {"DEFAULT": {"max_routes": 99}, "ml2_type_vlan": {"network_vlan_ranges": "physnet7:1:9"}}
    held["upgrader"] = {"service": {"nova": {"conf": own}, "neutron": {"conf": neutron}}}
    node.use(held)
    states = node.done("upgrader.nova.configured", "upgrader.neutron.configured")
    nova = parsed("nova", "/etc/nova/nova.conf")
    assert nova["own/token"].replace("$$", "$") == secret and nova["own/flags"] == "a,b"
    assert nova["DEFAULT/reserved_host_disk_mb"] == "2048" and nova["DEFAULT/osapi_compute_workers"] == "3"
    assert parsed("neutron", CONFS["neutron"][0])["DEFAULT/max_routes"] == "99"
    assert parsed("neutron", CONFS["neutron"][1])["ml2_type_vlan/network_vlan_ranges"] == "physnet7:1:9"
    assert "passed on though nova registers no such option: own/flags, own/token" in states["nova_model"]["comment"]
    assert "registers" not in states["neutron_model"]["comment"]
    assert "through/" not in json.dumps(states) and "through/" not in node.logged()
    quiet(node.done("upgrader.nova.configured", "upgrader.neutron.configured"))


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        (["DEFAULT"], "has to be {section: {option: value}}"),
        ({"database": {"connection": "mysql://pass$through"}}, "say it by pillar glance:server:database"),
        ({"DEFAULT": {"debug": "true\n[database]\nconnection = pass$through"}}, "is given a line break"),
    ],
)
def test_pass_through_that_could_lead_elsewhere_is_refused_before_a_file_is_written(
    node: Node, conf: Any, words: str
) -> None:
    held, before = whole(), everything()
    held["upgrader"] = {"service": {"glance": {"conf": conf}}}
    node.use(held)
    states = node.apply("upgrader.glance.configured")
    assert states["glance_model"]["result"] is False and words in states["glance_model"]["comment"]
    assert not [name for name, state in states.items() if state["changes"]] and everything() == before
    assert "pass$through" not in json.dumps(states)


def test_copy_is_told_what_it_is_not_given_and_production_is_given_it(node: Node) -> None:
    held = whole()
    glance = held["glance"]["server"]
    glance.update(
        notification=True,
        storage={"engine": ["rbd", "file"], "default_store": "rbd", "pool": "images", "user": "glance"},
    )
    node.use(held)
    said = node.done("upgrader.glance.configured")["glance_model"]["comment"]
    assert "held back on a copy: glance:server:notification, glance:server:storage" in said
    conf = parsed("glance", CONFS["glance"][0])
    assert conf["glance_store/default_store"] == "file" and "glance_store/rbd_store_pool" not in conf
    glance["database"]["name"] = "glance"
    node.use(held)
    assert "held back" not in node.done("upgrader.glance.configured")["glance_model"]["comment"]
    conf = parsed("glance", CONFS["glance"][0])
    assert conf["glance_store/default_store"] == "rbd" and conf["glance_store/rbd_store_pool"] == "images"
    assert conf["oslo_messaging_notifications/driver"] == "messagingv2"


ENFORCER = """
import json, sys; from oslo_config import cfg; from oslo_policy import policy
conf = cfg.ConfigOpts(); conf(['--config-file', sys.argv[1]])
enforcer = policy.Enforcer(conf); enforcer.register_default(policy.RuleDefault('bench:create', 'role:everybody'))
ask = lambda role, rule: bool(enforcer.enforce(rule, {}, {'roles': [role]}))
print(json.dumps([ask('keeper', 'bench:create'), ask('everybody', 'bench:create'), ask('keeper', 'bench:own')]))
"""


def test_rules_of_access_are_what_the_services_own_policy_reads(node: Node) -> None:
    held = whole()
    held["cinder"]["controller"]["policy"] = {"bench:create": "role:keeper", "bench:own": "rule:bench:create"}

    def asked() -> Any:
        argv = [str(VENVS["cinder"] / "bin" / "python"), "-c", ENFORCER, CONFS["cinder"][0]]
        read = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert read.returncode == 0, read.stderr
        return json.loads(read.stdout.splitlines()[-1])

    node.use(held)
    node.done("upgrader.cinder.configured")
    assert asked() == [True, False, True]
    file = Path("/etc/cinder/policy.d/upgrader.json")
    assert file.owner() == "cinder" and file.stat().st_mode & 0o777 == 0o640
    node.use(whole())
    node.done("upgrader.cinder.configured")
    assert asked() == [False, True, False], "a rule that leaves pillar is as it was"


@pytest.mark.parametrize("empty", [{}, pytest.param(None, marks=pytest.mark.soak)], ids=["empty", "none"])
def test_an_empty_role_is_refused_in_a_sentence(node: Node, empty: Any) -> None:
    held = whole()
    for role, service in ROLES.items():
        held[service][role.split(":")[1]] = empty
    node.use(held)
    states = node.apply(*WRITING)
    for service in ROLES.values():
        assert "the model is incomplete" in states[f"{service}_model"]["comment"]
    assert not [name for name, state in states.items() if state["changes"]]


@pytest.mark.parametrize(
    ("database", "production", "result", "words"),
    [
        ("glance", True, True, "glance works on production's glance, as pillar says"),
        ("glance", None, False, "name glance_upgrade for a rehearsal"),
        ("whole_glance_upgrade", True, False, "which is a clone"),
    ],
)
def test_service_starts_on_production_only_where_pillar_says_so(
    node: Node, database: str, production: bool | None, result: bool, words: str
) -> None:
    held = {**whole(), "upgrader": {"production": production}}
    held["glance"]["server"]["database"]["name"] = database
    node.use(held)
    state = next(iter(node.call("state.single", "upgrader_copy.may_start", "glance").values()))
    assert state["result"] is result and words in state["comment"] and not state["changes"]


def test_haproxy_takes_what_the_classes_say(node: Node, tmp_path: Path) -> None:
    node.use(whole(cluster=True))
    conf = tmp_path / "haproxy.cfg"
    text = node.call("cp.get_template", "salt://upgrader/haproxy/files/haproxy.cfg.jinja", str(conf))
    assert text == str(conf)
    checked = subprocess.run(["haproxy", "-c", "-f", str(conf)], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    said = [line for line in (checked.stdout + checked.stderr).splitlines() if "[WARNING]" in line]
    assert not said, said
    held = conf.read_text()
    assert held.count("\nlisten ") == 4 and "rabbitmq_off" not in held
    assert "http-check expect status 401" in held and "bind 127.0.0.2:15000" in held


def parsed(service: str, path: str) -> dict[str, str]:
    """The file through the service's own oslo.config; every value of every section."""
    reader = (
        "import json, sys; from oslo_config import cfg\n"
        "sections = {}; parser = cfg.ConfigParser(sys.argv[1], sections); parser.parse()\n"
        "print(json.dumps({s + '/' + k: v[-1] for s, held in sections.items() for k, v in held.items()}))"
    )
    venv = {"nova": VENVS["cinder"], **VENVS}[service]
    read = subprocess.run(
        [str(venv / "bin" / "python"), "-c", reader, path], capture_output=True, text=True, timeout=60
    )
    assert read.returncode == 0, read.stderr
    return dict(json.loads(read.stdout))


@pytest.mark.parametrize("cluster", [True, pytest.param(False, marks=pytest.mark.soak)], ids=["cluster", "single"])
def test_configuration_is_read_back_by_the_services_own_oslo(node: Node, cluster: bool) -> None:
    node.use(whole(cluster=cluster))
    node.done(*(f"upgrader.{service}.configured" for service in ALL))
    for service, paths in CONFS.items():
        for path in paths:
            held = parsed(service, path)
            assert held and not [key for key, value in held.items() if "{{" in value or value == "None"]
            assert Path(path).stat().st_mode & 0o777 == 0o600 and Path(path).owner() == service
    for service in ("nova", "cinder", "neutron", "heat", "glance"):
        held = parsed(service, CONFS[service][0])
        assert held["keystone_authtoken/password"].replace("$$", "$") == SECRETS["account"]
        assert held["database/connection"].startswith(
            f"mysql+pymysql://whole_bench:{quote(SECRETS['database'], safe='')}@{ADDRESS}:3306/"
        )
        if service != "glance":
            url = held["DEFAULT/transport_url"]
            assert url.count(quote(SECRETS["queue"], safe="")) == (3 if cluster else 1) and url.endswith(
                "/%2Fopenstack"
            )
    assert (
        parsed("heat", CONFS["heat"][0])["DEFAULT/stack_domain_admin_password"].replace("$$", "$") == SECRETS["stacks"]
    )


TYPED = """
import json, sys, types
sys.path.insert(0, '/src/tools'); sys.modules.setdefault(str('mock'), types.ModuleType(str('mock')))
import derive_options
from oslo_config import cfg, generator
service, paths = sys.argv[1], sys.argv[2:]
conf, known = cfg.ConfigOpts(), {}
conf([word for path in paths for word in ('--config-file', path)])
for _, listing in generator._get_raw_opts_loaders(derive_options.namespaces(service)):
    for group, options in listing():
        name = getattr(group, 'name', group) or 'DEFAULT'
        for option in options:
            if not isinstance(option, cfg.SubCommandOpt):
                try: conf.register_opt(option, group=None if name == 'DEFAULT' else name)
                except cfg.DuplicateOptError: pass
                known[name.lower(), option.dest] = option
sections, wrong = {}, []
for path in paths: cfg.ConfigParser(path, sections).parse()
for section, options in sections.items():
    own = section in (conf.enabled_backends or []) if service == 'cinder' else False
    for name in options:
        option = known.get(('default' if own else section.lower(), name)) or known.get(('backend', name))
        if option is None: continue
        if own: conf.register_opt(option, group=section)
        try: conf[section][name] if section != 'DEFAULT' else conf[name]
        except Exception as error: wrong.append('%s/%s: %s' % (section, name, type(error).__name__))
print(json.dumps(wrong))
"""


def cloud_of_mcp(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((REPOSITORY / "tests" / "data" / "mcp_pillars" / f"{name}.yml").read_text()))


@pytest.mark.parametrize("cloud", CLOUDS_OF_MCP)
def test_proxy_of_a_whole_pillar_is_taken_by_haproxy_itself(node: Node, cloud: str, tmp_path: Path) -> None:
    node.use(cloud_of_mcp(cloud))
    conf = tmp_path / "haproxy.cfg"
    assert node.call("cp.get_template", "salt://upgrader/haproxy/files/haproxy.cfg.jinja", str(conf)) == str(conf)
    checked = subprocess.run(["haproxy", "-c", "-f", str(conf)], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("cloud", CLOUDS_OF_MCP)
def test_values_of_a_whole_pillar_are_of_the_kinds_that_the_services_take(
    node: Node, cloud: str, tmp_path: Path
) -> None:
    """Production's files of three clouds, each option read by the service's own definition of it."""
    node.use(cloud_of_mcp(cloud))
    for service, paths in CONFS.items():
        files = []
        for path in paths:
            files.append(str(tmp_path / Path(path).name))
            template = f"salt://upgrader/{service}/files/{Path(path).name}.jinja"
            assert node.call("cp.get_template", template, files[-1]) == files[-1]
        python = {"nova": VENVS["cinder"], **VENVS}[service] / "bin" / "python"
        argv = [str(python), "-W", "ignore", "-c", TYPED, service, *files]
        read = subprocess.run(argv, capture_output=True, text=True, timeout=120)
        assert read.returncode == 0, (service, read.stderr[-2000:])
        assert json.loads(read.stdout.splitlines()[-1]) == [], service


AWKWARD = {"glance": "'quoted'", "nova": '"', "cinder": " ünï edges\\x ", "neutron": "$(a)%s$", "heat": "#;[x]=,"}
READER = """# -*- coding: utf-8 -*-
import json, sys; from oslo_config import cfg; from sqlalchemy.engine.url import make_url
c = cfg.ConfigOpts(); c.register_opts([cfg.StrOpt('connection')], 'database'); c.register_opts([cfg.StrOpt('transport_url')])
c.register_opts([cfg.StrOpt('password')], 'keystone_authtoken'); c(['--config-file', sys.argv[1]])
text = lambda v: v.decode('utf-8') if isinstance(v, bytes) else v
print(json.dumps([text(c.keystone_authtoken.password), text(make_url(str(c.database.connection)).password), c.transport_url]))
"""


def test_any_password_reaches_the_service_as_it_is(node: Node) -> None:
    held = whole()
    for service, password in AWKWARD.items():
        role = held[service][ROLE_KEYS.get(service, "server")]
        role["identity"]["password"] = role["database"]["password"] = role["message_queue"]["password"] = password
    node.use(held)
    node.done(*(f"upgrader.{service}.configured" for service in AWKWARD))
    for service, password in AWKWARD.items():
        python = {"nova": VENVS["cinder"], **VENVS}[service] / "bin" / "python"
        argv = [str(python), "-c", READER, CONFS[service][0]]
        env = {"LANG": "C.UTF-8", "PATH": "/usr/bin"}
        read = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env)
        assert read.returncode == 0, read.stderr
        account, database, queue = json.loads(read.stdout)
        assert (account, database) == (password, password)
        assert service == "glance" or f":{quote(password, safe='')}@" in queue


def quiet(states: dict[str, dict[str, Any]]) -> None:
    assert not {name: state["changes"] for name, state in states.items() if state["changes"]}


@pytest.mark.parametrize(
    "services",
    [ALL, pytest.param(("memcached", "rabbitmq"), marks=(pytest.mark.heavy, pytest.mark.soak))],
    ids=["services", "foundation"],
)
def test_configuration_under_test_true_changes_nothing_and_is_written_once(
    node: Node, services: tuple[str, ...]
) -> None:
    sls = [f"upgrader.{service}.configured" if service in ALL else f"upgrader.{service}" for service in services]
    node.use(whole())
    node.done(*sls)
    held = whole()
    for service in services:
        role = held[service][ROLE_KEYS.get(service, "server")]
        role["bind"] = json.loads(json.dumps(role["bind"]).replace(ADDRESS, "127.0.0.1"))
    node.use(held)
    before, running = everything(), units()
    planned = node.apply(*sls, test=True)
    changing = {name for name, state in planned.items() if state["result"] is None}
    assert not [name for service in services if not (name := [one for one in changing if one.startswith(service)])]
    assert not [state for state in planned.values() if state["result"] is False], planned
    assert everything() == before and units() == running
    first = node.done(*sls)
    assert changing <= {name for name, state in first.items() if state["changes"]} | {"rabbitmq_account"}
    shows_no_secret(first)
    quiet(node.done(*sls))
    node.use(whole())
    node.done(*sls)


FILES = {
    **{service: paths[0] for service, paths in CONFS.items()},
    "memcached": "/etc/memcached.conf",
    "rabbitmq": "/etc/rabbitmq/rabbitmq-env.conf",
    "haproxy": "/etc/haproxy/haproxy.cfg",
}


@pytest.fixture
def kept(node: Node) -> Iterator[Path]:
    """Where archives go; what the test keeps under its id, and moves aside, is taken away."""

    def sweep() -> None:
        shutil.rmtree(root, ignore_errors=True)
        for service, file in FILES.items():
            for aside in {*Path("/etc").glob(f"{service}*.before-test*"), *Path(file).parent.glob("*.before-test*")}:
                shutil.rmtree(aside) if aside.is_dir() else aside.unlink()

    root = Path("/var/backups/upgrader")
    node.use({**whole(), "upgrader": {"keep": {"id": "test"}}})
    node.done(*(f"upgrader.{service}.configured" for service in ALL))
    sweep()
    yield root
    sweep()


def test_backup_and_restore_act_once_and_not_under_test_true(node: Node, kept: Path) -> None:
    backup, restore = (
        [f"upgrader.{service}.backup" for service in FILES],
        [f"upgrader.{service}.restore" for service in FILES],
    )
    missing = node.apply("upgrader.nova.restore")["nova_put_back"]
    assert missing["result"] is False and "apply upgrader.nova.backup first" in missing["comment"]
    before = everything()
    assert {state["result"] for state in node.apply(*backup, test=True).values()} == {None}
    assert not list(kept.rglob("test.*"))
    first = node.done(*backup)
    assert all(state["changes"] for state in first.values()) and len(first) == len(FILES)
    archives = list(kept.rglob("test.*"))
    assert len(archives) == 2 * len(FILES) and {path.stat().st_mode & 0o777 for path in archives} == {0o600}
    quiet(node.done(*backup))
    quiet(node.done(*restore))
    assert everything() == before
    texts = {file: Path(file).read_text() for file in FILES.values()}
    for file in texts:
        Path(file).write_text("# spoilt\n")
    spoilt = everything()
    assert {state["result"] for state in node.apply(*restore, test=True).values()} == {None}
    assert everything() == spoilt
    done = node.done(*restore)
    assert all(state["changes"] for state in done.values())
    assert {file: Path(file).read_text() for file in texts} == texts
    told = {path: (what[0], *what[2:]) for path, what in everything().items() if ".before-" not in path}
    assert told == {path: (what[0], *what[2:]) for path, what in before.items()}, "modes and owners too"
    assert list(Path("/etc").glob("nova.before-test*"))
    quiet(node.done(*restore))
