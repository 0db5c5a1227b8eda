"""The options of this node's OpenStack configuration against the new release's. Reads files; tells names, never values."""

import json
import os

import upgrader_conf
import upgrader_options
import upgrader_pillar
import upgrader_schema_target
from salt.exceptions import CommandExecutionError

SOURCE = "salt://openstack/files/options/{0}.json"
NOVA = "nova:controller"


def report(services=None):
    """Every option of this node's configuration files that the new release removed, renamed, deprecates or needs.

    Names only: no value is answered. Services without a file on this node are left out, unless they were asked for.

    :param services: names of services; those that have a configuration file here by default

    CLI Example:

    .. code-block:: bash

        salt 'ctl01*' upgrader_options.report services='[nova]'
    """
    unknown = sorted(set(services or ()) - set(upgrader_options.FILES))
    if unknown:
        raise CommandExecutionError(
            "no options are known of {0}; known: {1}".format(", ".join(unknown), ", ".join(upgrader_options.FILES))
        )
    rows, releases = [], {}
    for service in services or upgrader_options.FILES:
        files = _files(service, __pillar__)
        if not files and services:
            wanted = ", ".join(_paths(service, __pillar__))
            raise CommandExecutionError("this node has no configuration of {0}: {1}".format(service, wanted))
        if files:
            known = _known(service, __salt__)
            releases[service] = upgrader_options.release(known)
            rows += upgrader_options.judge(service, files, known)
    said = "{0} options to look at: {1}".format(len(rows), ", ".join(sorted(releases)))
    return {
        "comment": said if releases else "this node has no configuration of an OpenStack service",
        "releases": releases,
        "options": rows,
        "findings": upgrader_options.findings(rows, releases),
    }


def _paths(service, pillar):
    """The service's files; the role's ``config_file`` takes the place of the main one, and the others stand beside it."""
    role = NOVA if service == "nova" else upgrader_schema_target.place(service).role
    usual = upgrader_options.FILES[service]
    main = upgrader_pillar.value(pillar, role + ":config_file", usual[0])
    beside = [os.path.relpath(path, os.path.dirname(usual[0])) for path in usual[1:]]
    return [main] + [os.path.join(os.path.dirname(main), path) for path in beside]


def _files(service, pillar):
    """Path to what it holds, for the files that are here."""
    try:
        return {
            path: upgrader_conf.parse_conf(upgrader_conf.read_file(path, service, service))
            for path in _paths(service, pillar)
            if os.path.exists(path)
        }
    except upgrader_conf.StepError as error:
        raise CommandExecutionError(str(error)) from None


def _known(service, salt):
    """The derived data, from the master's file server."""
    source = SOURCE.format(service)
    path = salt["cp.cache_file"](source)
    if not path:
        raise CommandExecutionError(
            "the master does not serve {0}: its file_roots must hold the formulas of this version".format(source)
        )
    with open(path, encoding="utf-8") as opened:
        return json.load(opened)
