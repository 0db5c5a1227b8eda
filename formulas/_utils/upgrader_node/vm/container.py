"""The init of a container, asked to go off by the signal that it understands.

libvirt 9.0's LXC driver remembers the init of the first start and asks that one after every later start ("No such process").
A container's number is its controller's process, whose only child is the init: that is always the right one.
"""

import os
import signal

# systemd(1) powers off on this one, upstart and sysvinit on SIGPWR; both only start anew on SIGTERM, which ends any other init.
OF_INIT = {"systemd": signal.SIGRTMIN + 4, "init": signal.SIGPWR, "upstart": signal.SIGPWR}


def ask(controller: int, proc: str = "/proc") -> bool:
    """Whether there was an init to ask."""
    init = _only_child(controller, proc)
    if not init:
        return False
    try:
        program = os.path.basename(os.readlink("{}/{}/exe".format(proc, init)))
        os.kill(init, OF_INIT.get(program, signal.SIGTERM))
    except OSError:
        return False
    return True


def ended(controller: int, proc: str = "/proc") -> bool:
    """Whether the init is dead and its controller has not noticed: the domain would be called running for ever.

    A controller listens for its init's end only once it has told libvirtd that all is ready (``virLXCControllerMain`` of
    libvirt's lxc_controller.c): an init that ends before is never collected. Nothing of the guest lives behind its init.
    """
    init = _only_child(controller, proc)
    try:
        with open("{}/{}/stat".format(proc, init)) as file:
            return file.read().rpartition(")")[2].split()[:1] == ["Z"]
    except OSError:
        return False


def _only_child(pid: int, proc: str) -> int:
    try:
        with open("{0}/{1}/task/{1}/children".format(proc, pid)) as file:
            found = file.read().split()
    except OSError:
        return 0
    return int(found[0]) if found else 0
