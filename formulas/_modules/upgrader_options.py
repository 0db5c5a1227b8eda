"""The options of this node's OpenStack configuration against the new release's. Reads files; tells names, never values."""

import json

from salt.exceptions import CommandExecutionError
from upgrader_node.errors import told_as
from upgrader_node.options import report as options_report

SOURCE = "salt://upgrader/openstack/files/options/{0}.json"


def report(services=None):
    """Every option of this node's configuration files that the new release removed, renamed, deprecates or needs.

    Names only: no value is answered. Services without a file on this node are left out, unless they were asked for.

    :param services: names of services; those that have a configuration file here by default

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_options.report services='[nova]'
    """
    with told_as(CommandExecutionError):
        return options_report.report(__pillar__, services, _known(__salt__))


def _known(salt):
    """Gives the derived data of a service, from the master's file server."""

    def known(service):
        source = SOURCE.format(service)
        path = salt["cp.cache_file"](source)
        if not path:
            raise CommandExecutionError(
                "the master does not serve {0}: its file_roots must hold the formulas of this version".format(source)
            )
        with open(path, encoding="utf-8") as opened:
            return json.load(opened)

    return known
