"""Which texts of nova and heat cannot be read back by their own code. Pure; nothing of a text is ever executed."""

import json
import pickletools
import typing

_REQUEST = {"count", "spec", "alias_name", "request_id"}


def _parsed(text: str) -> typing.Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def unreadable_pci_requests(text: typing.Optional[str]) -> bool:
    """``instance_extra.pci_requests``: a list of requests, each with the keys that ``InstancePCIRequests`` asks for."""
    if text is None:
        return False
    requests = _parsed(text)
    return not isinstance(requests, list) or not all(
        isinstance(request, dict) and set(request) >= _REQUEST for request in requests
    )


def unreadable_topology(text: typing.Optional[str]) -> bool:
    """``instance_extra.numa_topology``: an object, new or in the form from before Juno."""
    return text is not None and not isinstance(_parsed(text), dict)


def cut_off_pickle(content: typing.Union[bytes, str, None]) -> bool:
    """A pickle that ends before it says so. Its opcodes are walked, it is not loaded."""
    if content is None:
        return False
    octets = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else bytes(content)
    try:
        for _ in pickletools.genops(octets):
            pass
    except (ValueError, KeyError, IndexError, UnicodeDecodeError):
        return True
    return False


def demand_grammar(*values: typing.Union[bytes, str, None]) -> None:
    """Raises ValueError for a text that is no JSON, or octets that are no whole pickle. Its opcodes are walked, it is not loaded."""
    for value in values:
        if isinstance(value, str):
            json.loads(value)
        elif value is not None:
            for _ in pickletools.genops(bytes(value)):
                pass
