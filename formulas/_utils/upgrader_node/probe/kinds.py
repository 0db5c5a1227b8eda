"""All kinds of rows that are judged by a service's own code, service by service: the one table."""

import sys

from upgrader_node.probe import cinder_kinds, heat_kinds, nova_kinds
from upgrader_node.probe.kind import Kind  # noqa: F401 (in type comments)

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)

KINDS = {"nova": nova_kinds.KINDS, "cinder": cinder_kinds.KINDS, "heat": heat_kinds.KINDS}  # type: typing.Mapping[str, typing.Sequence[Kind]]


SOURCE = "mitaka"
"""The release whose columns the kinds read. A cloud that begins at another one is not probed: that hop needs kinds of its own."""


def of_service(service):
    # type: (str) -> typing.Sequence[Kind]
    """The kinds of one service; none for a service whose rows its code takes as they are."""
    return KINDS.get(service, ())


def named(service, identity):
    # type: (str, str) -> Kind
    """One kind. Raises KeyError for one that there is not."""
    found = [kind for kind in of_service(service) if kind.id == identity]
    if not found:
        raise KeyError("{0} has no rows of kind {1!r} to be probed".format(service, identity))
    return found[0]
