"""What the services stand on serves, and their own units run."""

from salt.exceptions import CommandExecutionError
from upgrader_node.host import beats
from upgrader_node.service import starting

__virtualname__ = "upgrader_serving"


def __virtual__():
    return __virtualname__


def verified(name):
    """The unit is active and every place that its pillar binds takes a connection."""
    return beats.asserting(name, CommandExecutionError, lambda: __salt__["upgrader_serving.check"](name)["comment"])


def steady(name, units):
    """The units of a service stay up, which a start alone does not show. Under ``test=True`` they may not be there yet."""
    look = lambda: __salt__["upgrader_serving.steady"](units)["comment"]  # noqa: E731
    return beats.asserting(name, CommandExecutionError, look, __opts__["test"])


def running(name, units, enable=True):
    """The units of a service are started, all at once, and are started at boot or not."""
    systemd = starting.Systemd()

    def look():
        todo = starting.lacking(systemd.units(units), enable)
        return beats.Standing(not todo, todo or "every unit runs")

    def act():
        done = starting.start(units, enable, systemd)
        _started()[name] = done["started"]
        return dict(done, before="", after={"started": done["started"], "at boot": done["switched"]})

    return beats.changing(name, __opts__["test"], CommandExecutionError, look, act)


def current(name, units):
    """The units of a service run with what they read now. Watches that; changes nothing by itself.

    Apart from ``running``, because Salt asks no state's ``mod_watch`` that has changed something itself.
    """
    return {
        "name": name,
        "changes": {},
        "result": True,
        "comment": "what {} read has not changed".format(", ".join(units)),
    }


def mod_watch(name, units, **kwargs):
    """Restart the units that ``running`` has not started in this run, because what they read has changed."""
    before = [unit for unit in units if unit not in _started().get(name, ())]

    def act():
        return dict(starting.restart(before, starting.Systemd()), before="", after={"restarted": before})

    look = beats.Standing(not before, "to restart: {}".format(", ".join(before)) if before else "started just now")
    return beats.changing(name, __opts__["test"], CommandExecutionError, lambda: look, act)


def _started():
    """What states of this run have started, by their names."""
    return __context__.setdefault("upgrader_serving.started", {})
