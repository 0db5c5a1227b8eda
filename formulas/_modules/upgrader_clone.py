"""Clone databases on the production server: made under names of their own, filled from a proven backup, owned by the ledger."""

from salt.exceptions import CommandExecutionError
from upgrader_node.clone import clones as clone_databases
from upgrader_node.errors import told_as
from upgrader_node.host import lock, settings

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_clone"


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
    with _told():
        return clone_databases.check_source(_admin(__pillar__), versions)


def create(run, names, like=None):
    """Create empty clone databases and the accounts that may use them and nothing else.

    A clone of an earlier run is dropped and made anew; a database of that name that the ledger does not know is refused.
    Accounts come from the model (``settings.clone_users``).

    :param like: name of the clone to name of the database whose character set and collation it gets; utf8 for others

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_clone.create run=20170801T101500Z-1a2b names='[nova_upgrade, nova_upgrade_api]'
    """
    with _told(), lock.exclusively(lock.CLONES, "upgrader_clone.create", run):
        users = {name: settings.clone_users(__pillar__, name) for name in names}
        return clone_databases.create(_admin(__pillar__), run, users, like or {})


def check_names(names):
    """No database of these names is there that this tool did not make.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_clone.check_names names='[nova_upgrade, nova_upgrade_api]'
    """
    with _told():
        return clone_databases.check_names(_admin(__pillar__), names)


def drop(run):
    """Drop the clones that ``run`` made, exactly those that the ledger names, and no other database.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_clone.drop run=20170801T101500Z-1a2b
    """
    with _told(), lock.exclusively(lock.CLONES, "upgrader_clone.drop", run):
        return clone_databases.drop(_admin(__pillar__), run)


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
    holding = "upgrader_clone.fill", receipt
    with _told(), lock.exclusively(lock.STORE, *holding), lock.exclusively(lock.CLONES, *holding):
        return clone_databases.fill(_admin(__pillar__), settings.store(__pillar__), receipt, slow, timeout)


def _admin(pillar):
    return clone_databases.Admin(pymysql, settings.admin(pillar))


def _told():
    return told_as(CommandExecutionError, driver=pymysql)
