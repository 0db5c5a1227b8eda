"""Reading pillar values inside a module, the same way on every supported Salt.

Salt 3008's ``pillar.get`` answers ``**********`` for every value when a module calls it, numbers included; the pillar
dictionary itself holds what it always held.
"""

import typing


def value(pillar: typing.Any, key: str, default: typing.Any = None) -> typing.Any:
    """The value at a colon-separated key of a pillar dictionary, or ``default`` when there is none."""
    for part in key.split(":"):
        try:
            pillar = pillar[part]
        except (KeyError, TypeError, IndexError):
            return default
    return pillar
