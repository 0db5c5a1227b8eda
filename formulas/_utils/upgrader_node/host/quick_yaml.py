"""Text in YAML, read ten times as fast where PyYAML was built with libyaml: a release path is read by every call of a phase."""

import typing

NO_VALUE = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError)
"""What PyYAML raises, beside errors of its own, of a value that is not what its form or its tag says: ``2017-13-45``, ``!!int x``."""


def load(yaml: typing.Any, text: typing.Union[str, bytes]) -> typing.Any:
    """What a text holds. Raises ``yaml.YAMLError``, with the line where it is known.

    :param yaml: PyYAML, which this package does without
    """
    loader = loader_of(yaml)(text)
    try:
        node = loader.get_single_node()
        return None if node is None else built(yaml, loader, node)
    except RecursionError:
        raise yaml.MarkedYAMLError(problem="it is nested too deep") from None
    finally:
        loader.dispose()


def loader_of(yaml: typing.Any) -> typing.Any:
    """The quicker of PyYAML's two loaders that make plain values only."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def built(yaml: typing.Any, loader: typing.Any, node: typing.Any) -> typing.Any:
    """The value of a node that ``loader`` read. Raises ``yaml.YAMLError``."""
    try:
        return loader.construct_document(node)
    except NO_VALUE:
        problem = "a value there is not what its form or its tag says"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=_mark(yaml, node)) from None


def _mark(yaml: typing.Any, root: typing.Any) -> typing.Any:
    """Where the first value stands that cannot be made; None where it is no single one."""
    left, seen = [root], set()  # type: typing.List[typing.Any], typing.Set[int]
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            try:
                yaml.constructor.SafeConstructor().construct_document(node)
            except NO_VALUE + (yaml.YAMLError,):
                return node.start_mark
        elif isinstance(node.value, list):
            parts = node.value if isinstance(node, yaml.SequenceNode) else [one for pair in node.value for one in pair]
            left += reversed(parts)
    return None
