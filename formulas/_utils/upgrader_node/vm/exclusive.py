"""One call at a time for a domain; those of other domains go on beside it."""

import typing

from upgrader_node.errors import StepError
from upgrader_node.host import lock
from upgrader_node.vm.finding import NAME

Held = typing.ContextManager[None]


def alone(name: str, function: str, run: str = "", folder: str = "") -> Held:
    """Hold the domain for the length of the block. Raises StepError, naming the owner, when another call has it."""
    if not NAME.match(name):
        raise StepError("{!r} is no name of a domain: letters, digits, dot, dash, underscore".format(name))
    return lock.exclusively(lock.Lock("vm-" + name, "virtual machine " + name), function, run, folder)


def of_receipt(receipt: typing.Mapping[str, typing.Any], function: str, folder: str = "") -> Held:
    """The domain of a receipt."""
    return alone(str(receipt.get("domain", "")), function, str(receipt.get("run", "")), folder)
