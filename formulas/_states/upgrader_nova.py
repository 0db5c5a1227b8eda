"""
Nova's ten steps as states: each reads what is there, does nothing when it is right, says what it would do under
``test=True``, and otherwise calls execution module ``upgrader_nova``, which judges what nova-manage did.
"""

from salt.exceptions import CommandExecutionError

__virtualname__ = "upgrader_nova"


def __virtual__():
    return __virtualname__


def _state(name, test, salt, settled, planned, call, arguments):
    """The five beats. ``settled`` returns why nothing is to be done, or ""; ``call`` is the function that does it."""
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        ret["comment"] = settled(salt)
        if ret["comment"]:
            return ret
        if test:
            ret.update(result=None, comment=planned)
            return ret
        done = salt["upgrader_nova." + call](**arguments)
    except CommandExecutionError as error:
        ret.update(result=False, comment=str(error))
        return ret
    ret["comment"] = done["comment"]
    if done["changed"]:
        ret["changes"] = {"old": done["before"], "new": done["after"]}
    return ret


def api_db_version_present(name, version):
    """The API schema is at ``version`` or past it."""

    def settled(salt):
        current = salt["upgrader_nova.versions"]()["api"]
        return "the API schema is at {0}".format(current) if current is not None and current >= int(version) else ""

    planned = "would run api_db sync to {0}".format(version)
    return _state(name, __opts__["test"], __salt__, settled, planned, "api_db_sync", {"version": version})


def db_version_present(name, version):
    """The main schema is at ``version`` or past it, and so is cell0's once cell0 is mapped."""

    def settled(salt):
        current, wanted = salt["upgrader_nova.versions"](), int(version)
        main, cell0 = current["main"], current["cell0"]
        if main is None or main < wanted:
            return ""
        mapped = "cell0" in salt["upgrader_nova.cells"]()["cells"]
        if mapped and main == wanted and (cell0 is None or cell0 < wanted):
            return ""
        return "the main schema is at {0}, cell0's at {1}".format(main, cell0)

    planned = "would run db sync to {0}".format(version)
    return _state(name, __opts__["test"], __salt__, settled, planned, "db_sync", {"version": version})


def online_data_migrations_done(name, max_count=2000):
    """No row is left that Newton's and Ocata's online data migrations would move."""

    def settled(salt):
        return "" if any(salt["upgrader_nova.remaining"]().values()) else "no row is left to migrate"

    planned = "would run online_data_migrations in batches of {0}".format(max_count)
    return _state(
        name, __opts__["test"], __salt__, settled, planned, "online_data_migrations", {"max_count": max_count}
    )


def cell0_mapped(name):
    """cell0 is mapped to its own database, with a quoted URL."""

    def settled(salt):
        return "cell0 is mapped" if salt["upgrader_nova.cells"]()["cell0_quoted"] else ""

    return _state(name, __opts__["test"], __salt__, settled, "would map cell0", "map_cell0", {})


def cell_present(name, cell="cell1"):
    """Exactly one cell beside cell0 is there; another one fails the state."""

    def settled(salt):
        found = sorted(set(salt["upgrader_nova.cells"]()["cells"]) - {"cell0"})
        return "{0} is there".format(cell) if found == [cell] else ""

    return _state(
        name, __opts__["test"], __salt__, settled, "would create {0}".format(cell), "create_cell", {"name": cell}
    )


def hosts_discovered(name, cell="cell1"):
    """Every live compute host is mapped."""

    def settled(salt):
        return "all compute hosts are mapped" if salt["upgrader_nova.cells"]()["unmapped_hosts"] == [] else ""

    return _state(
        name, __opts__["test"], __salt__, settled, "would map the compute hosts", "discover_hosts", {"cell": cell}
    )


def instances_mapped(name, cell="cell1", max_count=2000):
    """Every instance, soft-deleted ones too, is mapped to the cell."""

    def settled(salt):
        counts = salt["upgrader_nova.cells"]()["instances"]
        done = counts and not (counts["unmapped"] or counts["without cell"] or counts["markers"])
        return "all {0} instances are mapped".format(counts["instances"]) if done else ""

    planned = "would map the instances to {0}".format(cell)
    return _state(
        name, __opts__["test"], __salt__, settled, planned, "map_instances", {"cell": cell, "max_count": max_count}
    )


def isolated(name):
    """nova.conf and every cell mapping name the copy only. Changes nothing; required before a service starts."""

    def settled(salt):
        return "everything leads to {0}".format(salt["upgrader_nova.assert_isolated"]()["main"])

    return _state(name, False, __salt__, settled, "", "", {})


def verified(name):
    """The copy's versions, mappings, request specs and isolation are right. Changes nothing."""

    def settled(salt):
        return salt["upgrader_nova.verify"]()["comment"]

    return _state(name, False, __salt__, settled, "", "", {})
