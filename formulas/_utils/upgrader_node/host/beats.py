"""The five beats of a state: build the answer, look, say that it is right, say what would be done, do it.

Written once, so that every state of ours honours ``test=True``, reports no change on a second run and shows a failure as a
sentence. Salt's error class comes in as a value, because this package does without Salt.
"""

import typing

from upgrader_node.errors import StepError

Ret = typing.Dict[str, typing.Any]
Done = typing.Mapping[str, typing.Any]
Refusals = typing.Type[Exception]


class Standing(typing.NamedTuple):
    """What a look gave: whether all is as it should be, and the sentence: how it is, or what would be done."""

    right: bool
    words: str


def changing(
    name: str,
    test: bool,
    refusal: Refusals,
    look: typing.Callable[[], Standing],
    act: typing.Callable[[], Done],
) -> Ret:
    """A state that changes something.

    :param refusal: the class that functions of modules raise (``CommandExecutionError``); ours is caught as well
    :param act: does it, and answers ``comment``, ``changed`` and, of a change, ``before`` and ``after``
    """
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}  # type: Ret
    try:
        standing = look()
        if standing.right or test:
            ret.update(result=True if standing.right else None, comment=standing.words)
            return ret
        done = act()
    except (refusal, StepError) as error:
        ret.update(result=False, comment=str(error))
        return ret
    ret["comment"] = done["comment"]
    if done["changed"]:
        ret["changes"] = {"old": done["before"], "new": done["after"]}
    return ret


def asserting(name: str, refusal: Refusals, look: typing.Callable[[], str], test: bool = False) -> Ret:
    """A state that changes nothing: ``look`` answers how it is, or raises what is wrong.

    :param test: a look that fails under ``test=True`` says nothing yet (None), because what it reads may be written later
    """
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}  # type: Ret
    try:
        ret["comment"] = look()
    except (refusal, StepError) as error:
        ret.update(result=None if test else False, comment=str(error))
    return ret
