"""Configuration kept under an id, and put back. Both do nothing a second time."""

import upgrader_kept

__virtualname__ = "upgrader_kept"


def __virtual__():
    return __virtualname__


def kept(name, id, paths):
    """What is at ``paths`` now is kept under ``id``. What was kept under it before stays as it is."""
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        held = upgrader_kept.read(name, id)
        if held is not None:
            ret["comment"] = "kept at {} in {}".format(held.taken_at, held.archive)
            return ret
        if __opts__["test"]:
            ret.update(result=None, comment="would keep {}".format(", ".join(paths)))
            return ret
        held = upgrader_kept.keep(name, id, paths)
    except (upgrader_kept.KeptError, OSError) as error:
        ret.update(result=False, comment=str(error))
        return ret
    ret.update(comment="kept in {}".format(held.archive), changes={"old": None, "new": sorted(held.paths)})
    return ret


def put_back(name, id):
    """Everything that was kept under ``id`` is as it was; what was there instead is beside it, renamed."""
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        held = upgrader_kept.read(name, id)
        if held is None:
            ret.update(
                result=False, comment="nothing of {} was kept under {}: apply {}.backup first".format(name, id, name)
            )
            return ret
        todo = upgrader_kept.differing(held)
        if not todo:
            ret["comment"] = "everything is as it was at {}".format(held.taken_at)
            return ret
        if __opts__["test"]:
            ret.update(result=None, comment="would put back {}".format(", ".join(todo)))
            return ret
        done = upgrader_kept.put_back(held, id)
    except (upgrader_kept.KeptError, OSError) as error:
        ret.update(result=False, comment=str(error))
        return ret
    ret.update(comment="put back {}".format(", ".join(done)), changes={"old": "differed", "new": done})
    return ret
