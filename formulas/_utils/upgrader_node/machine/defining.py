"""New machines defined, and machines that were made for a run taken away again. Their files are never removed."""

import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.machine import blueprint
from upgrader_node.vm import definition, finding, moving, power, survey

Answer = typing.Dict[str, typing.Any]


def define(here: finding.Host, wanted: blueprint.Machine, autostart: bool = False) -> Answer:
    """The machine defined and off; one that is defined so already is left. One of that name that is off is defined anew.

    It keeps the UUID of the machine that it takes the place of, so that there is no moment without a definition.
    """
    own = finding.driver(here, blueprint.uri(wanted.kind))
    there = [hypervisor for hypervisor, names in finding.names(here)[0] if wanted.name in names]
    for hypervisor in there:
        if hypervisor.uri != own.uri:
            what = "{} is defined on {} under {}: keep its disks and take it away first"
            raise StepError(what.format(wanted.name, here.node, hypervisor.uri))
    before = own.xml(wanted.name) if there else ""
    identity = definition.read(before).uuid if there else ""
    if there:
        power.require_off(own, wanted.name, here.node)
    own.define(blueprint.definition(wanted, identity))
    own.set_autostart(wanted.name, autostart)
    changed = own.xml(wanted.name) != before
    comment = "{} is defined{}".format(wanted.name, "" if changed else " so already")
    return {"comment": comment, "changed": changed, "uri": own.uri}


def remove(here: finding.Host, name: str, run: str) -> Answer:
    """The machine no longer defined, its disks beside their places as ``<disk>.removed-<run>``. It has to be off.

    One that is not there is no error: nothing of it can be in the way.
    """
    there = [hypervisor for hypervisor, names in finding.names(here)[0] if name in names]
    moved = []  # type: typing.List[str]
    for hypervisor in there:
        power.require_off(hypervisor, name, here.node)
        _require_alone(here, hypervisor.xml(name), name)
        for disk in definition.read(hypervisor.xml(name)).files:
            if os.path.lexists(disk.source):
                moved.append(moving.aside(disk.source, "{}.removed-{}".format(disk.source, run)))
        hypervisor.undefine(name)
    comment = "{} was taken away".format(name) if there else "{} was not there".format(name)
    return {"comment": comment, "changed": bool(there), "moved_aside": moved}


def _require_alone(here: finding.Host, xml: str, name: str) -> None:
    users = survey.uses(here)
    for disk in definition.read(xml).files:
        others = [one for one in users.get(disk.source, []) if one != name]
        if others:
            what = "disk {} of {} on {} is needed by {} too: give each a disk of its own first"
            raise StepError(what.format(disk.source, name, here.node, ", ".join(others)))
