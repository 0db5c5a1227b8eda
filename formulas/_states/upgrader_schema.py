"""
The upgrades of the services' databases as states: each reads what is there, does nothing when it is right, says what it
would do under ``test=True``, and otherwise calls execution module ``upgrader_schema``.
"""

from salt.exceptions import CommandExecutionError

__virtualname__ = "upgrader_schema"


def __virtual__():
    return __virtualname__


def phase_done(name, service, phase, release=None):
    """Phase ``phase`` of ``service`` is done."""
    return _done(name, service, [phase], release, __salt__, __opts__["test"])


def upgraded(name, service, options=(), release=None):
    """
    Every phase of ``service`` is done, in the release path's order; the first that fails ends it.

    ``options`` names what is done on demand only, e.g. ``[repair_server_groups]``.
    """
    try:
        phases = __salt__["upgrader_schema.phases"](service, options, release)
    except CommandExecutionError as error:
        return {"name": name, "changes": {}, "result": False, "comment": str(error)}
    return _done(name, service, phases, release, __salt__, __opts__["test"])


def verified(name, service, release=None):
    """The databases of ``service`` are as its upgrade leaves them. Changes nothing."""
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        ret["comment"] = __salt__["upgrader_schema.verify"](service, release=release)["comment"]
    except CommandExecutionError as error:
        ret.update(result=False, comment=str(error))
    return ret


def _done(name, service, phases, release, salt, test):
    """The five beats, phase by phase. Under ``test`` every phase is asked, for none of them changes anything."""
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    said = []
    try:
        for phase in phases:
            settled = salt["upgrader_schema.settled"](service, phase, release=release)
            if settled["settled"]:
                said.append(settled["comment"])
            elif test:
                ret["result"] = None
                said.append("would run phase {0} of {1}: {2}".format(phase, service, settled["comment"]))
            else:
                done = salt["upgrader_schema.phase"](service, phase, release=release)
                said.append(done["comment"])
                if done["changed"]:
                    ret["changes"][phase] = {"old": done["before"], "new": done["after"]}
    except CommandExecutionError as error:
        ret["result"] = False
        said.append(str(error))
    ret["comment"] = "; ".join(said)
    return ret
