"""
The databases of every service from one release to another, with the services' own tools, phase by phase.

Every function looks at the databases first, by SQL, and runs a tool only where something is left to do; then exit code,
output and databases are judged together. Nothing is run when configuration file and pillar do not name the same copy.
Passwords never stand in an argv. The tools run as the service's system user, nova-manage as root.

Which phases there are, to which versions, says the release path: ``salt://upgrader/releases/<source>-<target>.yaml`` of the
two releases in pillar ``upgrader:release`` (mitaka and ocata where it has none); ``release`` names another one, as
``ocata-pike``, as a URL, or as the data themselves.

``allow_production`` is for the real upgrade alone: without it a database name without ``_upgrade`` is refused.
``timeout`` is in seconds for one run of a tool; ``patience`` is how long to wait, in seconds, for the schema change or the
tool of an interrupted run to end before anything is started.
"""

import functools

import yaml
from salt.exceptions import CommandExecutionError
from upgrader_node.schema import driver
from upgrader_node.upgrade import calls, opening

try:
    import pymysql
except ImportError:
    pymysql = None

__virtualname__ = "upgrader_schema"

HOUR = 3600


def __virtual__():
    if pymysql is None:
        return False, "upgrader_schema needs PyMySQL in the Python that runs salt-minion"
    return __virtualname__


def _node(pillar, opts, salt):
    fetch = functools.lru_cache(maxsize=None)(salt["cp.get_file_str"])  # within a call it is asked for several times
    return opening.Node(pillar, opts["cachedir"], fetch, pymysql, yaml, CommandExecutionError)


def _owned(node, service, release):
    with opening.errors(node):
        return opening.owned(node, service, release)


def versions(service, allow_production=False, release=None):
    """
    What the databases say of their schemas: versions by repository of sqlalchemy-migrate, and revisions of alembic.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_schema.versions keystone
    """
    node = _node(__pillar__, __opts__, __salt__)
    reason = _owned(node, service, release)
    if reason:
        return {"migrate": {}, "alembic": [], "databases": {}, "comment": reason}
    with opening.session(node, service, release, allow_production) as session:
        return calls.versions(session)


def phases(service, options=(), release=None):
    """
    The ids of a service's phases, in their order; ``options`` names what is done on demand only. Asks no database.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_schema.phases nova options='[repair_server_groups]'
    """
    return calls.phases(_node(__pillar__, __opts__, __salt__), service, release, options)


def phase(service, phase, timeout=None, allow_production=False, patience=HOUR, args=None, release=None):
    """
    Do one phase of a service's upgrade where it is not done; phases that must come before it are demanded.

    Without ``timeout`` a run of the tool may take as long as the phase's own data say. ``args`` replaces some of the
    phase's arguments: ``{max_count: 500}`` (rows of one batch) or ``{fast: false}`` (nova-manage alone, no bulk writing).
    Answers ``{"before", "after", "changed", "comment", ...}``.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_schema.phase keystone expand
    """
    node = _node(__pillar__, __opts__, __salt__)
    reason = _owned(node, service, release)
    if reason:
        return driver.answer(None, None, False, reason)
    with opening.session(node, service, release, allow_production, patience) as session:
        return calls.phase(session, phase, timeout, args)


def settled(service, phase, allow_production=False, release=None):
    """
    Whether a phase is done, and what is left of it if not. Read only.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_schema.settled keystone expand
    """
    node = _node(__pillar__, __opts__, __salt__)
    reason = _owned(node, service, release)
    if reason:
        return {"settled": True, "comment": reason}
    with opening.session(node, service, release, allow_production) as session:
        return calls.settled(session, phase)


def verify(service, expected=None, allow_production=False, release=None):
    """
    Judge the upgraded copy: every phase done, for nova cells and mappings too, and, with ``expected``, the rows.

    ``expected`` are the snapshot's counts, ``{schema: {table: {"total": n, "live": n or None}}}`` under the source's names.
    Raises CommandExecutionError with the first few blockers when there is any.

    CLI Example:

    .. code-block:: bash

        salt 'upg01*' upgrader_schema.verify keystone
    """
    node = _node(__pillar__, __opts__, __salt__)
    reason = _owned(node, service, release)
    if reason:
        return {"comment": reason, "findings": [], "compared": False}
    with opening.session(node, service, release, allow_production) as session:
        return calls.verify(session, expected, CommandExecutionError)
