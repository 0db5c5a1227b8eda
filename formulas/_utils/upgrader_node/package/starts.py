"""Nothing starts while packages are half there: Debian's own switch, ``policy-rc.d``, said no to for as long as it takes.

Maintainer scripts ask it before they start, restart or stop a unit, so agents go on by the code that they have loaded until they
are restarted once, in order. A script that calls systemctl itself does not ask. A site's own switch is kept beside and put back.
"""

import contextlib
import os
import typing

from upgrader_node.host import files

PLACE = "/usr/sbin/policy-rc.d"
ASIDE = ".upgrader-kept"
MARK = "# Placed by upgrader while packages are upgraded; it takes it away again."
TEXT = "#!/bin/sh\n{}\nexit 101\n".format(MARK)


@contextlib.contextmanager
def refused(place: str = PLACE) -> typing.Iterator[None]:
    """No unit is started in the block. A call that is cut leaves the switch; the next one takes it away."""
    refuse(place)
    try:
        yield
    finally:
        release(place)


def refuse(place: str = PLACE) -> None:
    """Put ours in the place of what is there, which is kept beside it; at no moment is there none."""
    if os.path.lexists(place) and not ours(place):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place + ASIDE)
        os.link(place, place + ASIDE, follow_symlinks=False)
    files.write(place, TEXT, 0o755)


def release(place: str = PLACE) -> None:
    """Take ours away, and put back what was there. One that somebody put there meanwhile stays."""
    theirs = os.path.lexists(place) and not ours(place)
    if os.path.lexists(place + ASIDE):
        if theirs:
            os.unlink(place + ASIDE)
        else:
            os.replace(place + ASIDE, place)
    elif not theirs:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place)


def ours(place: str = PLACE) -> bool:
    """Whether the switch that is there is ours."""
    try:
        with open(place, encoding="utf-8", errors="replace") as file:
            return MARK in file.read()
    except OSError:
        return False
