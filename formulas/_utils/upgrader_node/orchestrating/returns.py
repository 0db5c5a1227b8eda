"""What Salt's local client holds of a job, without the nodes that said nothing."""

import typing

Returns = typing.Dict[str, typing.Dict[str, typing.Any]]


def answered(said: typing.Mapping[str, typing.Any]) -> Returns:
    """Node to its answer (``ret``, ``retcode``). A silent node stands in what the client gives with ``failed``, or with ``no_return``."""
    return {node: dict(one) for node, one in said.items() if _is_answer(one)}


def _is_answer(one: typing.Any) -> bool:
    if not isinstance(one, typing.Mapping) or one.get("failed") or one.get("out") == "no_return":
        return False
    return "ret" in one and ("jid" in one or "retcode" in one)
