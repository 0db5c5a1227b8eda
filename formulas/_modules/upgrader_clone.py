"""Clone databases on the production server: made under names of their own, filled from a proven backup, owned by the ledger."""

import os
import shutil
import tempfile

import upgrader_backup_tool as backup_tool
import upgrader_connection
import upgrader_database
import upgrader_ledger
import upgrader_pillar
import upgrader_pipeline
import upgrader_scratch
from salt.exceptions import CommandExecutionError

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_clone"

DUMP = ("mariadb-dump", "mysqldump")
LOAD = ("mariadb", "mysql")
SUFFIX = "_upgrade"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def check_source(versions):
    """The source databases are there and at the release the upgrade starts from.

    :param versions: database name to what it must be at: the version of sqlalchemy-migrate (by repository where a
        database has several), or the revision of alembic

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_clone.check_source versions='{nova: 319, keystone: {keystone: 97}, neutron: 4ffceebfcdc}'
    """
    findings = []
    with _admin() as connection:
        for database, wanted in sorted(versions.items()):
            found = upgrader_database.marks(connection, database)
            if not upgrader_database.stands_at(found, wanted):
                there = upgrader_database.schema_exists(connection, database)
                findings.append(_finding(database, found.shown() if there else None, _shown(wanted)))
    comment = ", ".join("{} at {}".format(name, _shown(wanted)) for name, wanted in sorted(versions.items()))
    return {"comment": comment, "findings": findings}


def _shown(wanted):
    return upgrader_database.Marks(wanted, ()).shown() if isinstance(wanted, dict) else str(wanted)


def create(run, names):
    """Create empty clone databases and the accounts that may use them and nothing else.

    A clone of an earlier run is dropped and made anew; a database of that name that the ledger does not know is refused.
    Accounts come from pillar ``mysql:client:server:upgrade:database:<name>:users``.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_clone.create run=20170801T101500Z-1a2b names='[nova_upgrade, nova_upgrade_api]'
    """
    users = {name: _users(name) for name in names}
    odd = [name for name in names if SUFFIX not in name]
    if odd:
        raise CommandExecutionError("{} is no clone's name: a clone has {} in its name".format(", ".join(odd), SUFFIX))
    with _admin() as connection, connection.cursor() as cursor:
        foreign = upgrader_ledger.foreign(cursor, names)
        if foreign:
            raise CommandExecutionError(
                "database {} is there and was not made by upgrader: rename or drop it yourself if it is not needed".format(
                    ", ".join(foreign)
                )
            )
        for name in names:
            _make_empty(cursor, name, run)
            for user in users[name]:
                _grant(cursor, name, user)
    return {"comment": "created {}".format(", ".join(names)), "changed": True}


def check_names(names):
    """No database of these names is there that this tool did not make.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_clone.check_names names='[nova_upgrade, nova_upgrade_api]'
    """
    with _admin() as connection, connection.cursor() as cursor:
        foreign = upgrader_ledger.foreign(cursor, names)
    findings = [
        {
            "severity": "blocker",
            "subject": name,
            "what": "database {} is there and was not made by upgrader".format(name),
            "remedy": "rename or drop it yourself if it is not needed",
        }
        for name in foreign
    ]
    return {"comment": "free: {}".format(", ".join(names)), "findings": findings}


def drop(run):
    """Drop the clones that ``run`` made, exactly those that the ledger names, and no other database.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_clone.drop run=20170801T101500Z-1a2b
    """
    with _admin() as connection, connection.cursor() as cursor:
        names = sorted(clone.name for clone in upgrader_ledger.read(cursor).values() if clone.run == run)
        for name in names:
            cursor.execute("DROP DATABASE IF EXISTS {}".format(upgrader_database.identifier(name)))
            upgrader_ledger.forget(cursor, name)
    return {"comment": "dropped {}".format(", ".join(names) or "nothing"), "changed": bool(names)}


def fill(receipt, clones, logical, timeout=14400):
    """Copy by dump and load those databases of a proven backup that cannot be cloned by their tablespaces.

    The backup's own scratch server is the source: production is not read a second time, and what is rehearsed is exactly
    what a restore would give. A clone that an earlier, cut-off call filled in part is emptied first.

    :param clones: name of the clone to name of the database in the backup
    :param logical: names of the databases that go this way

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_clone.fill receipt=20170801T101500Z-1a2b clones='{nova_upgrade: nova}' logical='[nova]'
    """
    slow = {clone: source for clone, source in clones.items() if source in logical}
    if not slow:
        return {"comment": "nothing to copy, all are filled by tablespaces", "changed": False}
    admin = upgrader_pillar.value(__pillar__, upgrader_connection.ADMIN, {})
    folder = __salt__["upgrader_store.prepared"](receipt, timeout)
    copied = []
    with _admin() as connection, connection.cursor() as cursor, upgrader_scratch.server(folder, _scratch_connection):
        _require(cursor, sorted(slow), receipt)
        known = upgrader_ledger.read(cursor)
        for clone, source in sorted(slow.items()):
            if not known[clone].filled:
                _make_empty(cursor, clone, receipt)
                _copy(folder, source, admin, clone, timeout)
                upgrader_ledger.mark_filled(cursor, clone)
                copied.append(clone)
    return {"comment": "filled {}".format(", ".join(copied) or "nothing, all were full"), "changed": bool(copied)}


def _require(cursor, names, run):
    try:
        upgrader_ledger.require(cursor, names, run)
    except upgrader_ledger.NotOurs as error:
        raise CommandExecutionError(str(error)) from None


def _copy(folder, source, admin, clone, timeout):
    """Dump from the scratch server straight into the clone. The password is in a file, not in an argument."""
    with tempfile.TemporaryDirectory(prefix="upgrader-clone-") as private:
        options = backup_tool.defaults_file(os.path.join(private, "client.cnf"), admin["user"], admin["password"])
        dump = [
            _program(DUMP),
            "--no-defaults",
            "--socket=" + upgrader_scratch.socket_path(folder),
            "--user=root",
            "--single-transaction",
        ]
        dump += ["--quick", "--hex-blob", "--routines", "--triggers", "--skip-comments", source]
        load = [
            _program(LOAD),
            "--defaults-file=" + options,
            "--host=" + admin["host"],
            "--port={}".format(admin.get("port", 3306)),
            clone,
        ]
        cause = upgrader_pipeline.first_cause(upgrader_pipeline.run([dump, load], timeout=timeout))
    if cause is not None:
        raise CommandExecutionError(
            "{} could not be copied to {}: {}".format(source, clone, upgrader_pipeline.describe(cause))
        )


def _make_empty(cursor, name, run):
    """Drop a clone of ours, if it is there, and create it empty. The ledger is written first."""
    upgrader_ledger.claim(cursor, name, run)
    cursor.execute("DROP DATABASE IF EXISTS `{}`".format(name))
    cursor.execute("CREATE DATABASE `{}` CHARACTER SET utf8 COLLATE utf8_general_ci".format(name))


def _grant(cursor, name, user):
    account = (user["name"], user.get("host", "%"))
    cursor.execute("CREATE USER IF NOT EXISTS %s@%s IDENTIFIED BY %s", (*account, user["password"]))
    cursor.execute("ALTER USER %s@%s IDENTIFIED BY %s", (*account, user["password"]))
    cursor.execute("GRANT ALL PRIVILEGES ON `{}`.* TO %s@%s".format(name.replace("_", "\\_")), account)


def _users(name):
    key = "mysql:client:server:upgrade:database:{}:users".format(name)
    users = upgrader_pillar.value(__pillar__, key, [])
    if not users or not all(user.get("name") and user.get("password") for user in users):
        raise CommandExecutionError(
            "pillar key {} must list the accounts of the clone, each with name and password".format(key)
        )
    return users


def _finding(database, found, wanted):
    what = (
        "database {} is not there".format(database)
        if found is None
        else "database {} is at schema version {}".format(database, found)
    )
    return {
        "severity": "blocker",
        "subject": database,
        "what": "{}, and the upgrade starts from {}".format(what, wanted),
        "remedy": "bring it to the source release first, or correct the database name in the model",
    }


def _program(names):
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        raise CommandExecutionError(
            "no {} on the backup node: install the mariadb client there".format(" or ".join(names))
        )
    return found


def _scratch_connection(socket):
    return upgrader_connection.connect(pymysql, "the scratch server", unix_socket=socket, user="root")


def _admin():
    try:
        return upgrader_connection.admin(pymysql, upgrader_pillar.value(__pillar__, upgrader_connection.ADMIN, {}))
    except upgrader_connection.ConnectionRefused as error:
        raise CommandExecutionError(str(error)) from None
