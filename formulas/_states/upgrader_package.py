"""apt's sources of a compute or a gateway. The state is given no value: a mirror's password stays out of Salt's cache."""

from salt.exceptions import CommandExecutionError
from upgrader_node.host import beats
from upgrader_node.package import sources as package_sources

__virtualname__ = "upgrader_package"


def __virtual__():
    return __virtualname__


def sources(name):
    """Every source of pillar ``linux:system:repo`` stands in a file of its own under ``/etc/apt``; the lists are not refreshed."""

    def look():
        left = package_sources.differing(package_sources.wanted(__pillar__))
        words = "would write {}".format(", ".join(left)) if left else "every source is as the model has it"
        return beats.Standing(not left, words)

    def act():
        return package_sources.write(package_sources.wanted(__pillar__))

    return beats.changing(name, __opts__["test"], CommandExecutionError, look, act)
