"""Text in YAML, read ten times as fast where PyYAML was built with libyaml: a release path is read by every call of a phase."""

import typing


def load(yaml: typing.Any, text: typing.Union[str, bytes]) -> typing.Any:
    """What a text holds. Raises ``yaml.YAMLError``.

    :param yaml: PyYAML, which this package does without
    """
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
