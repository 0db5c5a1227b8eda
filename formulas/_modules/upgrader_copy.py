"""
The copy on the upgrade node, alone: its catalogue, its account in keystone, and the proof that nothing leads to production.

All of it is about clones: a configuration that names a database without ``_upgrade`` is refused.
"""

import contextlib
import json
import os
import socket
import subprocess

import upgrader_catalogue
import upgrader_conf
import upgrader_connection
import upgrader_database
import upgrader_isolation
import upgrader_pillar
import upgrader_schema_target
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_copy"

ROLES = upgrader_schema_target.ROLE_OF
# Every file in which a service may name a host.
FILES = {
    "keystone": ("/etc/keystone/keystone.conf",),
    "glance": ("/etc/glance/glance-api.conf",),
    "nova": ("/etc/nova/nova.conf",),
    "cinder": ("/etc/cinder/cinder.conf",),
    "neutron": ("/etc/neutron/neutron.conf", "/etc/neutron/plugins/ml2/ml2_conf.ini"),
    "heat": ("/etc/heat/heat.conf",),
}
# Run by keystone's own Python: the password comes over stdin. Python's own list of words is not what the kernel shows of a
# process; its environment is, of every child that it starts.
BOOTSTRAP = (
    "import json, sys; given = json.load(sys.stdin); sys.argv = given['argv'] + ['--bootstrap-password', given['password']]; "
    "from keystone.cmd.manage import main; sys.exit(main())"
)


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def isolated(service):
    """
    Prove that a service's configuration, and for keystone the catalogue, names this node and the clones and nothing else.

    Raises CommandExecutionError with every place that leads away. Changes nothing.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_copy.isolated glance
    """
    role = _role(service)
    own = _own()
    found, read = [], []
    for path in _files(service, role):
        options = upgrader_conf.parse_conf(_text(path, service))
        read.append(path)
        found += [
            "{} {}".format(path, phrase)
            for phrase in upgrader_isolation.strangers(
                upgrader_isolation.places(options), own, str(role["database"]["host"]), _databases(service, role)
            )
        ]
    if service == "keystone":
        with _clone(role) as connection:
            rows = upgrader_catalogue.endpoints(connection, role["database"]["name"])
        found += upgrader_catalogue.strangers(rows, own)
    if found:
        raise CommandExecutionError(
            "{} of the copy would reach beyond this node: {}; correct the model, or run the step that rewrites the copy, "
            "before anything starts".format(service, "; ".join(found[:10]))
        )
    return {"comment": "{} leads to this node and its clones only".format(service), "files": read}


def catalogue():
    """
    Write the copy's catalogue: every endpoint leads to this node, Ocata's services are added, identity is v3 only.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_copy.catalogue
    """
    role = _role("keystone")
    address = str(role["bind"]["public_address"])
    if address in ("0.0.0.0", "::"):
        raise CommandExecutionError(
            "pillar keystone:server:bind:public_address is {}: name the one address of this node that the copy's "
            "endpoints shall lead to".format(address)
        )
    entries = upgrader_catalogue.wanted(__pillar__)
    with _clone(role) as connection:
        done = upgrader_catalogue.write(connection, role["database"]["name"], entries, address)
    done["comment"] = "{} endpoint(s) moved to {}, added: {}, switched off: {}".format(
        done["moved"], address, ", ".join(done["added"]) or "none", ", ".join(done["off"]) or "none"
    )
    return done


def account(timeout=120):
    """
    Give the copy's keystone the one account that its services use, by ``keystone-manage bootstrap``.

    Name, password and project are pillar ``keystone:server:admin_name``, ``admin_password`` and ``admin_tenant``. So the
    upgrade node holds no password of production's.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_copy.account
    """
    role = _role("keystone")
    lacking = [key for key in ("admin_name", "admin_password") if not role.get(key)]
    if lacking:
        raise CommandExecutionError(
            "pillar has no keystone:server:{}: it is the account that the copy's services use".format(lacking[0])
        )
    return bootstrap(role["admin_name"], role["admin_password"], role.get("admin_tenant", "service"), timeout)


def bootstrap(name, password, project, timeout=120):
    """
    An administrator in the copy's keystone. Refuses any database that is not a clone.

    CLI Example:

    .. code-block:: bash

        salt-call upgrader_copy.account    # bootstrap itself is for other modules: a password does not belong on a command line
    """
    role = _role("keystone")
    conf = role.get("config_file", FILES["keystone"][0])
    before = _account(role, name)
    if role.get("engine") == "venv":
        python = os.path.join(role["venv"], "bin", "python")
    else:
        python = "/usr/bin/python2"
    argv = ["keystone-manage", "--config-file", conf, "bootstrap", "--bootstrap-username", name]
    argv += ["--bootstrap-project-name", project, "--bootstrap-role-name", "admin"]
    done = subprocess.run(
        [python, "-c", BOOTSTRAP],
        input=json.dumps({"argv": argv, "password": password}).encode("utf-8"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        cwd="/",
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/var/lib/keystone"},
        check=False,
    )
    after = _account(role, name)
    if done.returncode != 0 or not after:
        said = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
        raise CommandExecutionError(
            "keystone-manage bootstrap ended with exit code {} and account {} {}: {}".format(
                done.returncode, name, "is there" if after else "is not there",
                upgrader_database.redact(said[-1] if said else "it printed nothing", [password]),
            )
        )  # fmt: skip
    return {"comment": "account {} in project {}".format(name, project), "changed": not before}


def _account(role, name):
    statement = (
        "SELECT COUNT(*) FROM {0}.local_user u JOIN {0}.assignment a ON a.actor_id = u.user_id WHERE u.name = %s"
    ).format(upgrader_database.identifier(role["database"]["name"]))
    with _clone(role) as connection:
        return bool(upgrader_database.scalar(connection, statement, (name,)))


def _role(service):
    if service not in ROLES:
        raise CommandExecutionError("no service {!r}; there are {}".format(service, ", ".join(sorted(ROLES))))
    role = upgrader_pillar.value(__pillar__, ROLES[service], {}) or {}
    name = str((role.get("database") or {}).get("name") or "")
    if not name.endswith(upgrader_isolation.UPGRADE_MARK):
        raise CommandExecutionError(
            "pillar {}:database:name is {!r}, which is no clone: set it to {}_upgrade for a rehearsal".format(
                ROLES[service], name, service
            )
        )
    return role


def _databases(service, role):
    name = role["database"]["name"]
    return (name, name + "_api", name + "_cell0") if service == "nova" else (name,)


def _files(service, role):
    return (role.get("config_file", FILES[service][0]),) + FILES[service][1:]


def _text(path, service):
    try:
        with open(path, encoding="utf-8") as opened:
            return opened.read()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandExecutionError(
            "{} cannot be read ({}): apply state {}.configured first".format(path, error, service)
        ) from None


def _own():
    grains = __grains__
    addresses = list(grains.get("ipv4", [])) + list(grains.get("ipv6", []))
    return upgrader_isolation.own_names(__opts__["id"], socket.gethostname(), addresses)


@contextlib.contextmanager
def _clone(role):
    database = role["database"]
    try:
        with contextlib.closing(
            upgrader_connection.connect(
                pymysql, "pillar keystone:server:database", host=database["host"], port=database.get("port", 3306),
                user=database["user"], password=database["password"],
            )
        ) as connection:  # fmt: skip
            yield connection
    except upgrader_connection.ConnectionRefused as error:
        raise CommandExecutionError(str(error)) from None
    except upgrader_connection.errors(pymysql) as error:
        raise CommandExecutionError("the database server says {}".format(error)) from None
