"""Ocata's options in the files of a compute or a gateway. The state is given no value: pillar's passwords stay out of Salt's cache."""

from salt.exceptions import CommandExecutionError
from upgrader_node.host import beats

__virtualname__ = "upgrader_config"


def __virtual__():
    return __virtualname__


def configured(name):
    """Every option that Ocata wants of the role ``name`` (``compute``, ``gateway``) stands in its file."""

    def look():
        left = __salt__["upgrader_config.differing"](name)
        return beats.Standing(
            not left, "would write {}".format(", ".join(left)) if left else "every option is as wanted"
        )

    def act():
        done = __salt__["upgrader_config.merge"](name)
        return dict(done, before="differed", after=done["written"])

    return beats.changing(name, __opts__["test"], CommandExecutionError, look, act)
