"""Receipts of a run on a node: JSON beside what they speak of, named by the run, whole on disk or not there."""

import json
import os
import re
import typing

from upgrader_node.errors import StepError
from upgrader_node.host import files

RUN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
Receipt = typing.Dict[str, typing.Any]


def plain(run: str) -> str:
    """The run's id. Raises StepError for one that is no plain name: it becomes part of paths."""
    if not RUN.fullmatch(run):  # a match alone lets a line break at the end pass
        raise StepError("run {!r} is not a plain name of letters, digits, dot, dash and underscore".format(run))
    return run


def read(path: str, remedy: str) -> typing.Optional[Receipt]:
    """The receipt, or None where there is none. Raises StepError, which ends with ``remedy``, when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            receipt = json.load(file)  # type: Receipt
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StepError("receipt {} cannot be read ({}): {}".format(path, error, remedy)) from None
    return receipt


def write(path: str, receipt: typing.Mapping[str, typing.Any]) -> None:
    """The old one or the new one, whole, with its name on disk when this returns. Raises OSError."""
    files.write(path, json.dumps(receipt, indent=1, sort_keys=True) + "\n")
    files.sync(os.path.dirname(path))
