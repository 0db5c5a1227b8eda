"""The options of this node's OpenStack configuration against the new release's. Reads files; tells names, never values."""

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.host import served
from upgrader_node.options import report as options_report


def report(services=None):
    """Every option of this node's configuration files that the new release removed, renamed, deprecates or needs.

    Names only: no value is answered. Services without a file on this node are left out, unless they were asked for.

    :param services: names of services; those that have a configuration file here by default

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_options.report services='[nova]'
    """
    with told_as(CommandExecutionError):
        return options_report.report(__pillar__, services, _known(__salt__["cp.cache_file"]))


def _known(cache_file):
    """Gives the derived data of a service, from the master's file server."""
    return lambda service: served.read(cache_file, options_report.SOURCE.format(service))
