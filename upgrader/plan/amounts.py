"""Amounts of nodes as operators say them: a count, or a percent of all."""

from __future__ import annotations

from upgrader.errors import UsageError


def count_of(amount: int | str, total: int) -> int:
    """``3`` is three, ``"10%"`` is a tenth of the total, rounded down."""
    return total * int(amount[:-1]) // 100 if isinstance(amount, str) and amount.endswith("%") else int(amount)


def amount(said: str, option: str) -> int | str:
    """``20`` or ``10%`` as it stands in a plan. Raises UsageError for anything else."""
    number = said.strip().removesuffix("%")
    if not number.isdecimal() or (said.strip().endswith("%") and int(number) > 100):
        raise UsageError(f"{option} is {said!r}: give a number of nodes (20) or a percent of them (10%)")
    return said.strip() if said.strip().endswith("%") else int(number)
