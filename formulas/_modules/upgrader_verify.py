"""
Verification that means something: what the source held, by id, and what the upgraded cloud answers.

``baseline`` reads a cloud's databases before anything is changed; ``calls`` asks the eight questions of the upgraded
cloud in one authenticated session, compares by id, and makes, reads and deletes one object of each kind.
"""

import contextlib
import json
import os
import socket
import subprocess
import time

import upgrader_catalogue
import upgrader_connection
import upgrader_database
import upgrader_isolation
import upgrader_openrc
import upgrader_pillar
import upgrader_schema_target
import upgrader_verify_resources
import upgrader_verify_session
import yaml
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_verify"

FOLDER = "/var/lib/upgrader/baseline"
PYTHON = "/opt/clients/bin/python"
ROLES = upgrader_schema_target.ROLE_OF
# Mitaka's column in each database that tells whether the baseline is still to be had there.
MITAKA = {"keystone": ("migrate_version", "version", 97), "nova": ("migrate_version", "version", 319)}


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def baseline(run, folder=FOLDER):
    """
    Write down, by id, what the databases of this node's model hold: services, images, flavors, servers, networks, volumes.

    Taken once for a run and then left as it is, because what it reads is migrated afterwards. On the upgrade node the
    databases are the clones, which were proven to equal the backup table by table: so it is the source at the backup's
    moment, and the upgrade node needs no way to production.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_verify.baseline run=20170801T101500Z-1a2b
    """
    path = _path(folder, run)
    if os.path.exists(path):
        counts = {name: len(held) for name, held in _read(path)["resources"].items()}
        return {"comment": "taken before: {}".format(_counted(counts)), "counts": counts, "changed": False}
    resources = {}
    for resource in upgrader_verify_resources.RESOURCES:
        if resource.statement:
            with _database(resource.service) as (connection, names):
                rows = upgrader_database.rows(connection, resource.statement.format(**names))
            resources[resource.name] = upgrader_verify_resources.from_rows(resource, rows)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    fresh = path + ".part"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
        json.dump(
            {"run": run, "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "resources": resources}, opened
        )
        opened.flush()
        os.fsync(opened.fileno())
    os.replace(fresh, path)
    counts = {name: len(held) for name, held in resources.items()}
    return {"comment": _counted(counts), "counts": counts, "changed": True}


def calls(run="", cloud="", openrc="", change=True, patience=120, timeout=900, folder=FOLDER):
    """
    Ask the cloud on this node the eight questions, compare with the baseline, and make, read and delete six objects.

    :param run: whose baseline to compare with; "" takes the newest on this node, "none" compares with nothing
    :param cloud: name of a cloud in clouds.yaml, ``openrc`` a file of ``export OS_..`` lines; without either, and on a
        copy, the account that the copy's keystone was given (``upgrader_copy.account``) is used
    :param change: whether objects are made and deleted
    :param patience: seconds to wait for services that have just been started

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_verify.calls
    """
    copy = _is_copy()
    auth, said = _credentials(cloud, openrc, copy)
    path = _baseline(run, folder)
    order = {
        "auth": auth,
        "interface": "public",
        "baseline": path,
        "own": list(_own()),
        "copy": copy,
        "kinds": [entry.kind for entry in upgrader_catalogue.wanted(__pillar__)],
        "change": change,
        "patience": patience,
    }
    result = _ask(order, timeout)
    findings = [dict(finding) for call in result["calls"] for finding in call.pop("findings")]
    return {
        "comment": "{} calls in {:.1f} s as {}; {}".format(
            len(result["calls"]),
            result["seconds"],
            said,
            "compared with the baseline of {}".format(os.path.basename(path)[: -len(".json")])
            if path
            else "compared with nothing",
        ),
        "calls": result["calls"],
        "seconds": result["seconds"],
        "findings": findings,
    }


def _ask(order, timeout):
    """Run the session in the Python that has the client library; the password goes over stdin."""
    python = upgrader_pillar.value(__pillar__, "upgrader:verify:python", PYTHON)
    script = os.path.abspath(upgrader_verify_session.__file__.replace(".pyc", ".py"))
    if not os.path.exists(python):
        raise CommandExecutionError(
            "no {}: install keystoneauth1 for Python 3 on this node and name its interpreter in pillar "
            "upgrader:verify:python".format(python)
        )
    try:
        done = subprocess.run(
            [python, "-B", script],
            input=json.dumps(order).encode("utf-8"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/root", "no_proxy": "*"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CommandExecutionError(
            "the verification has not ended within {} s and was stopped".format(timeout)
        ) from None
    secrets = [order["auth"]["password"]]
    try:
        result = json.loads(done.stdout.decode("utf-8").strip().splitlines()[-1])
    except (IndexError, ValueError, UnicodeDecodeError):
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CommandExecutionError(
            "the verification ended with exit code {}: {}".format(
                done.returncode, upgrader_database.redact(words[-1] if words else "it printed nothing", secrets)
            )
        ) from None
    if "failed" in result:
        raise CommandExecutionError(upgrader_database.redact(result["failed"], secrets))
    return result


def _credentials(cloud, openrc, copy):
    """Whose session it is, and the words that say so."""
    try:
        if cloud:
            return upgrader_openrc.from_clouds(cloud, yaml), "cloud {} of clouds.yaml".format(cloud)
        if openrc:
            return upgrader_openrc.from_file(openrc), "the account of {}".format(openrc)
    except upgrader_openrc.Unusable as error:
        raise CommandExecutionError(str(error)) from None
    server = upgrader_pillar.value(__pillar__, "keystone:server", {}) or {}
    if not copy or not server.get("admin_name"):
        raise CommandExecutionError(
            "name an account: this node serves no copy, so give --cloud (a name in clouds.yaml) or --openrc (a file)"
        )
    bind = server["bind"]
    auth = {
        "auth_url": "http://{}:{}/v3".format(bind["public_address"], bind.get("public_port", 5000)),
        "username": server["admin_name"],
        "password": server["admin_password"],
        "project_name": server.get("admin_tenant", "service"),
        "region": server.get("region", "RegionOne"),
    }
    return auth, "the copy's own account {}".format(server["admin_name"])


def _is_copy():
    name = upgrader_pillar.value(__pillar__, "keystone:server:database:name", "") or ""
    return str(name).endswith(upgrader_isolation.UPGRADE_MARK)


def _own():
    grains = __grains__
    addresses = list(grains.get("ipv4", [])) + list(grains.get("ipv6", []))
    return upgrader_isolation.own_names(__opts__["id"], socket.gethostname(), addresses)


def _baseline(run, folder):
    if run == "none":
        return ""
    if run:
        path = _path(folder, run)
        if not os.path.exists(path):
            raise CommandExecutionError(
                "no baseline of run {} on this node: {} is not there; take it before the upgrade".format(run, path)
            )
        return path
    found = sorted(name for name in os.listdir(folder) if name.endswith(".json")) if os.path.isdir(folder) else []
    return os.path.join(folder, found[-1]) if found else ""


def _path(folder, run):
    if not run or not all(letter.isalnum() or letter in "-_" for letter in run):
        raise CommandExecutionError("{!r} is no run id".format(run))
    return os.path.join(folder, run + ".json")


def _read(path):
    try:
        with open(path, encoding="utf-8") as opened:
            return json.load(opened)
    except (OSError, ValueError) as error:
        raise CommandExecutionError("{} cannot be read: {}".format(path, error)) from None


def _counted(counts):
    return ", ".join("{} {}".format(count, name) for name, count in sorted(counts.items()))


@contextlib.contextmanager
def _database(service):
    """A connection as the service's own account, and its databases' names for a statement."""
    database = upgrader_pillar.value(__pillar__, ROLES[service] + ":database", {}) or {}
    name = database.get("name")
    if not name:
        raise CommandExecutionError("pillar has no {}:database:name".format(ROLES[service]))
    purpose = "pillar {}:database".format(ROLES[service])
    try:
        with contextlib.closing(
            upgrader_connection.connect(
                pymysql, purpose, host=database["host"], port=database.get("port", 3306), user=database["user"],
                password=database["password"], read_timeout=600,
            )
        ) as connection:  # fmt: skip
            _require_mitaka(connection, service, name)
            yield connection, {service: upgrader_database.identifier(name)}
    except upgrader_connection.ConnectionRefused as error:
        raise CommandExecutionError(str(error)) from None
    except upgrader_connection.errors(pymysql) as error:
        raise CommandExecutionError("the baseline of {} cannot be read: {}".format(service, error)) from None


def _require_mitaka(connection, service, name):
    if service not in MITAKA:
        return
    table, column, wanted = MITAKA[service]
    statement = "SELECT MIN({}) FROM {}.{}".format(column, upgrader_database.identifier(name), table)
    found = upgrader_database.scalar(connection, statement)
    if found != wanted:
        raise CommandExecutionError(
            "database {} is at {}, not at Mitaka's {}: a baseline is taken before the upgrade".format(
                name, found, wanted
            )
        )
