"""Configuration kept under an id, and put back. Both do nothing a second time."""

from salt.exceptions import CommandExecutionError
from upgrader_node.host import beats
from upgrader_node.service import kept as service_kept

__virtualname__ = "upgrader_kept"


def __virtual__():
    return __virtualname__


def kept(name, id, paths):
    """What is at ``paths`` now is kept under ``id``. What was kept under it before stays as it is."""

    def look():
        held = service_kept.read(name, id)
        if held is None:
            return beats.Standing(False, "would keep {}".format(", ".join(paths)))
        return beats.Standing(True, "kept at {} in {}".format(held.taken_at, held.archive))

    def act():
        held = service_kept.keep(name, id, paths)
        comment = "kept in {}".format(held.archive)
        return {"comment": comment, "changed": True, "before": None, "after": sorted(held.paths)}

    return beats.changing(name, __opts__["test"], CommandExecutionError, look, act)


def put_back(name, id):
    """Everything that was kept under ``id`` is as it was; what was there instead is beside it, renamed."""

    def look():
        held = service_kept.require(name, id)
        differing = service_kept.differing(held)
        if differing:
            return beats.Standing(False, "would put back {}".format(", ".join(differing)))
        return beats.Standing(True, "everything is as it was at {}".format(held.taken_at))

    def act():
        done = service_kept.put_back(service_kept.require(name, id), id)
        comment = "put back {}".format(", ".join(done))
        return {"comment": comment, "changed": True, "before": "differed", "after": done}

    return beats.changing(name, __opts__["test"], CommandExecutionError, look, act)
