"""Data files of the formulas, as the Salt master serves them to this node."""

import json
import typing

from upgrader_node.errors import StepError


def read(cache_file: typing.Callable[[str], typing.Any], source: str) -> typing.Any:
    """What a JSON file holds. Raises StepError when the master does not serve it.

    :param cache_file: Salt's ``cp.cache_file``, which answers where the file was put
    """
    path = cache_file(source)
    if not path:
        raise StepError(
            "the master does not serve {0}: its file_roots must hold the formulas of this version".format(source)
        )
    with open(path, encoding="utf-8") as opened:
        return json.load(opened)
