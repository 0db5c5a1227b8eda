"""The configuration files of this node's services, read and judged against the data of the new release."""

import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import pillar as host_pillar
from upgrader_node.options import judgement
from upgrader_node.service import oslo_conf
from upgrader_node.service.roles import ROLE_OF

Pillar = typing.Mapping[str, typing.Any]
Known = typing.Callable[[str], judgement.Known]
Answer = typing.Dict[str, typing.Any]
SOURCE = "salt://upgrader/openstack/files/options/{0}.json"


def report(pillar: Pillar, services: typing.Optional[typing.Sequence[str]], known: Known) -> Answer:
    """Every option that the new release removed, renamed, deprecates or needs.

    :param services: those with a file here by default; one that is asked for must have a file
    :param known: gives the derived data of a service
    """
    rows, releases = [], {}  # type: typing.List[judgement.Row], typing.Dict[str, str]
    for service in _wanted(services):
        files = _files(service, pillar)
        if files:
            definitions = known(service)
            releases[service] = judgement.release(definitions)
            rows += judgement.judge(service, files, definitions)
        elif services:
            wanted = ", ".join(_paths(service, pillar))
            raise StepError("this node has no configuration of {0}: {1}".format(service, wanted))
    said = "{0} options to look at: {1}".format(len(rows), ", ".join(sorted(releases)))
    return {
        "comment": said if releases else "this node has no configuration of an OpenStack service",
        "releases": releases,
        "options": rows,
        "findings": judgement.findings(rows, releases),
    }


def files_of(pillar: Pillar, services: typing.Sequence[str]) -> typing.Dict[str, judgement.Files]:
    """Of each of these services that has a configuration here, its files and what they hold."""
    found = {service: _files(service, pillar) for service in services}
    return {service: files for service, files in found.items() if files}


def _wanted(services: typing.Optional[typing.Sequence[str]]) -> typing.Sequence[str]:
    unknown = sorted(set(services or ()) - set(judgement.FILES))
    if unknown:
        raise StepError(
            "no options are known of {0}; known: {1}".format(", ".join(unknown), ", ".join(judgement.FILES))
        )
    return services or list(judgement.FILES)


def _paths(service: str, pillar: Pillar) -> typing.List[str]:
    """The service's files; the role's ``config_file`` takes the place of the main one, and the others stand beside it."""
    usual = judgement.FILES[service]
    main = str(host_pillar.value(pillar, ROLE_OF[service] + ":config_file", usual[0]))
    beside = [os.path.relpath(path, os.path.dirname(usual[0])) for path in usual[1:]]
    return [main] + [os.path.join(os.path.dirname(main), path) for path in beside]


def _files(service: str, pillar: Pillar) -> judgement.Files:
    """Path to what it holds, for the files that are here."""
    return {
        path: oslo_conf.parse_conf(oslo_conf.read_file(path, service, service))
        for path in _paths(service, pillar)
        if os.path.exists(path)
    }
