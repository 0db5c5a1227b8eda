"""Domains switched off and on. Off is asked for first, and the plug is pulled only where that was allowed."""

import time
import typing

from upgrader_node.errors import StepError
from upgrader_node.vm import container, finding
from upgrader_node.vm.hypervisor import OFF, Hypervisor, LibvirtFailed, Standing

Answer = typing.Dict[str, typing.Any]
# A guest that is still booting does not hear the first request.
ASK_AGAIN = 15.0
EVERY = 0.2
HARD_SECONDS = 60.0


def state(here: finding.Host, name: str) -> Answer:
    """How a domain stands."""
    hypervisor = finding.find(here, name)
    standing = hypervisor.standing(name)
    return {"comment": "{} is {}".format(name, standing.state), "uri": hypervisor.uri, **standing._asdict()}


def stop(here: finding.Host, name: str, seconds: float, hard: bool) -> Answer:
    """The domain off: by its guest within ``seconds``, and with ``hard`` by force afterwards. One that is off stays off."""
    hypervisor, began = finding.find(here, name), time.monotonic()
    if hypervisor.standing(name).off:
        return _off("{} was off already".format(name), began, changed=False)
    last = _ask(hypervisor, name, seconds)
    if last.off:
        return _off("{} went off by itself".format(name), began)
    if not hard:
        what = "{} on {} did not go off within {:.0f} s of being asked and is {}: shut it down from inside, or allow a hard stop"
        raise StepError(what.format(name, here.node, seconds, last.state))
    _pull(hypervisor, name, here.node)
    return _off("{} did not go off within {:.0f} s and was stopped hard".format(name, seconds), began, hard=True)


def start(here: finding.Host, name: str) -> Answer:
    """The domain on; whether its guest answers is seen elsewhere. One that runs is left alone."""
    hypervisor = finding.find(here, name)
    standing = hypervisor.standing(name)
    if standing.state == "paused":
        what = "{} on {} is paused: resume it (virsh resume) or stop it, then run this again"
        raise StepError(what.format(name, here.node))
    if not standing.off:
        return {"comment": "{} was {} already".format(name, standing.state), "changed": False}
    try:
        hypervisor.start(name)
    except LibvirtFailed as error:
        if hypervisor.standing(name).off:
            what = "{} on {} does not start: {}; mend that, then run this again"
            raise StepError(what.format(name, here.node, error)) from None
    return {"comment": "{} was started".format(name), "changed": True}


def require_off(hypervisor: Hypervisor, name: str, node: str) -> None:
    """Raises StepError while anybody may write to the domain's disks."""
    found = hypervisor.standing(name).state
    if found != OFF:
        what = "{} on {} is {}: stop it first (upgrader_vm.stop), then run this again"
        raise StepError(what.format(name, node, found))


def _ask(hypervisor: Hypervisor, name: str, seconds: float) -> Standing:
    """Ask until it is off or the time is over; what was seen last. A guest that ends meanwhile makes the request fail."""
    deadline, asked = time.monotonic() + seconds, -ASK_AGAIN
    while True:
        standing = hypervisor.standing(name)
        now = time.monotonic()
        if standing.off or now >= deadline:
            return standing
        if now - asked >= ASK_AGAIN:
            _request(hypervisor, name)
            asked = now
        time.sleep(EVERY)


def _request(hypervisor: Hypervisor, name: str) -> None:
    try:
        controller = hypervisor.number(name) if hypervisor.uri.startswith("lxc:") else 0
        if controller and container.ended(controller):
            hypervisor.destroy(name)
        elif not controller or not container.ask(controller):
            hypervisor.shutdown(name)
    except LibvirtFailed:
        # It ended in this moment, or its guest cannot be asked: the deadline tells which.
        return


def _pull(hypervisor: Hypervisor, name: str, node: str) -> None:
    try:
        hypervisor.destroy(name)
    except LibvirtFailed as error:
        if not hypervisor.standing(name).off:
            what = "{} on {} cannot be stopped even by force: {}; look at libvirt's log of it"
            raise StepError(what.format(name, node, error)) from None
    deadline = time.monotonic() + HARD_SECONDS
    while not hypervisor.standing(name).off:
        if time.monotonic() >= deadline:
            what = "{} on {} is still {} {:.0f} s after a hard stop: look at libvirt's log of it"
            raise StepError(what.format(name, node, hypervisor.standing(name).state, HARD_SECONDS))
        time.sleep(EVERY)


def _off(comment: str, began: float, changed: bool = True, hard: bool = False) -> Answer:
    return {"comment": comment, "changed": changed, "hard": hard, "seconds": round(time.monotonic() - began, 1)}
