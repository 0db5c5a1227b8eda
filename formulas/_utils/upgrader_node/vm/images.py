"""What a disk's file is, by qemu-img, and whether it is whole."""

import json
import os
import typing

from upgrader_node.errors import StepError
from upgrader_node.vm import commands

CHECK_SECONDS = 900
# `qemu-img check` (qemu-img(1)): 0 sound, 2 corrupt, 3 space that nobody uses, which does no harm.
SOUND, CORRUPT, LEAKS = 0, 2, 3


class Image(typing.NamedTuple):
    """A disk's file: bytes in the file, bytes that it takes, bytes that the guest sees, and the files that it stands on."""

    path: str
    format: str
    size: int
    allocated: int
    virtual: int
    below: typing.Tuple[str, ...] = ()


def look(path: str, form: str) -> Image:
    """The image at ``path``, also while a domain uses it. Raises StepError when it is not there or not of that format."""
    try:
        held = os.lstat(path)
    except OSError as error:
        raise StepError("{} cannot be read: {}".format(path, error.strerror)) from None
    if os.path.islink(path):
        raise StepError("{} is a link to {}: name that in the definition".format(path, os.path.realpath(path)))
    if form == "raw":
        return Image(path, form, held.st_size, held.st_blocks * 512, held.st_size)
    layers = _chain(path, form)
    below = tuple(str(one["filename"]) for one in layers[1:])
    return Image(path, form, held.st_size, held.st_blocks * 512, int(layers[0]["virtual-size"]), below)


def check(path: str, form: str) -> str:
    """A warning, or an empty text when the image is sound. Nobody may use it meanwhile. Raises StepError when it is not sound."""
    if form != "qcow2":
        return ""
    ran = commands.run(["qemu-img", "check", "-f", form, path], CHECK_SECONDS)
    if ran.code == LEAKS:
        return "{} holds space that nothing uses (qemu-img check -r leaks frees it)".format(path)
    if ran.code != SOUND:
        found = "is corrupt" if ran.code == CORRUPT else "cannot be checked"
        what = "{} {} (qemu-img check ended with {}: {}): repair it with qemu-img check -r all on a copy of it"
        raise StepError(what.format(path, found, ran.code, ran.words))
    return ""


def _chain(path: str, form: str) -> typing.List[typing.Dict[str, typing.Any]]:
    """The image and those below it. qemu-img before 2.10 has no -U and asks for no lock."""
    command = ["qemu-img", "info", "--output=json", "--backing-chain", "-f", form, path]
    ran = commands.run([*command[:2], "-U", *command[2:]])
    if ran.code != 0 and "option" in ran.words:
        ran = commands.run(command)
    if ran.code != 0:
        raise StepError("{} is no whole {} image: {}".format(path, form, ran.words))
    layers = json.loads(ran.out)  # type: typing.List[typing.Dict[str, typing.Any]]
    return layers
