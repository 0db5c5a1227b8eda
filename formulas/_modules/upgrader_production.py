"""
Production itself around the window: what is added to it, what it holds, what a way back would lose, and that nothing differs.

All but ``catalogue`` run on the backup node with the admin account of pillar ``upgrader:databases:admin``; what they write down
is in ``/var/lib/upgrader`` there, which nothing of the upgrade touches.
"""

import yaml
from salt.exceptions import CommandExecutionError
from upgrader_node.clone import clones
from upgrader_node.copy import catalogue as copy_catalogue
from upgrader_node.copy import proof
from upgrader_node.errors import told_as
from upgrader_node.host import lock, settings
from upgrader_node.production import catalogue as production_catalogue
from upgrader_node.production import computes as production_computes
from upgrader_node.production import databases as production_databases
from upgrader_node.production import kinds
from upgrader_node.production import objects as production_objects
from upgrader_node.release import delivery

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_production"


def __virtual__():
    return __virtualname__ if pymysql else (False, "PyMySQL is not installed in Salt's Python")


def create_databases(run, databases, like=None, grants=None):
    """Create the databases that the target release adds, empty, and open them to the accounts of those beside them.

    One that is there and empty is fine; one with tables is refused unless this run made it.

    :param like: new name to name of the database whose character set and collation it gets; utf8 for others
    :param grants: new name to name of the database whose accounts get the same rights on it

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_production.create_databases run=RUN databases='[nova_cell0]' like='{nova_cell0: nova}' grants='{nova_cell0: nova}'
    """
    with _told(), lock.exclusively(lock.CLONES, "upgrader_production.create_databases", run):
        return production_databases.create(_admin(__pillar__), run, databases, like or {}, grants or {})


def counts(databases):
    """The rows of every table of these databases, in the form that ``upgrader_schema.verify`` takes as ``expected``.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_production.counts databases='[nova, nova_api]'
    """
    with _told():
        return production_databases.counts(_admin(__pillar__), databases)


def objects(run, databases=None, again=False):
    """Write down, by id and name, what production holds: instances, volumes, ports, networks, images, users, projects, stacks.

    Once for a run; a second call leaves it as it is. The answer has counts only.

    :param databases: service to name of its database; without it each is called as its service
    :param again: write it down anew; right only while the moment that is kept has not come yet

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_production.objects run=RUN databases='{nova: nova, keystone: keystone}'
    """
    with _told():
        names = databases or {service: service for service in kinds.SERVICES}
        return production_objects.take(_admin(__pillar__), run, names, again=bool(again))


def loss(run):
    """What a way back to the moment of ``objects`` of this run would lose: created and deleted since, by kind and name.

    Of a created instance it says on which compute it would stay without a record. The answer names the first 50 of a kind; all are in
    ``file``. Changes nothing but that file.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_production.loss run=RUN
    """
    with _told():
        return production_objects.loss(_admin(__pillar__), run)


def same(run, release=None):
    """Nothing was created or deleted since ``objects`` of this run, and every schema is at the source release. Raises otherwise.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_production.same run=RUN
    """
    with _told():
        path = _path(__pillar__, __salt__, release)
        return production_objects.same(_admin(__pillar__), run, path)


def computes_at_source(database="nova", release=None):
    """No compute runs the target release yet: its control plane must not be taken back before them. By findings.

    CLI Example:

    .. code-block:: bash

        salt 'cfg01*' upgrader_production.computes_at_source
    """
    with _told():
        path = _path(__pillar__, __salt__, release)
        return production_computes.at_source(_admin(__pillar__), path, database)


def catalogue():
    """On a controller of production, before any service of the target release runs: its catalogue gets what Ocata adds.

    Added are placement beside compute and volumev3 beside volumev2, for each region and interface. Identity endpoints that end in
    ``/v2.0`` become ``/v3``, because Ocata's clients speak v3 only; the old URLs are in the answer. Nothing else changes, and a
    second time nothing does.

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_production.catalogue
    """
    with _told():
        role = proof.role_of_production(__pillar__, "keystone")
        entries = copy_catalogue.wanted(__pillar__)
        with proof.keystone(pymysql, role) as session:
            return production_catalogue.write(session, role["database"]["name"], entries)


def _admin(pillar):
    return clones.Admin(pymysql, settings.admin(pillar))


def _path(pillar, salt, release):
    return delivery.release_path(pillar, salt["cp.get_file_str"], yaml, release)


def _told():
    return told_as(CommandExecutionError, driver=pymysql)
