"""Proofs about nova's copy as states, for what must hold before a service of it starts. Its phases are ``upgrader_schema``'s."""

from salt.exceptions import CommandExecutionError

__virtualname__ = "upgrader_nova"


def __virtual__():
    return __virtualname__


def isolated(name):
    """nova.conf and every cell mapping name the copy only. Changes nothing; required before a service starts."""
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        ret["comment"] = "everything leads to {0}".format(__salt__["upgrader_nova.assert_isolated"]()["main"])
    except CommandExecutionError as error:
        ret.update(result=False, comment=str(error))
    return ret
