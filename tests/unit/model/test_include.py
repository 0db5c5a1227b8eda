"""A class is added to whatever file an operator wrote, and no byte beside it changes."""

from __future__ import annotations

import pytest

from upgrader.errors import Refused
from upgrader.reclass.include import with_classes

# (what it is, before, after)
KEPT = [
    ("empty file", "", "classes:\n- new.a\n- new.b\n"),
    ("comments only", "# who\n", "# who\nclasses:\n- new.a\n- new.b\n"),
    (
        "no classes key",
        "---\n# who\nparameters:\n  a: 1\n",
        "---\n# who\nclasses:\n- new.a\n- new.b\nparameters:\n  a: 1\n",
    ),
    (
        "comments in the list",
        "classes:\n\n  # one\n  - a   # why\n\n  # two\n  - b.c # \u00e9\n  # after\n\nparameters:\n  x:  'y'\n",
        "classes:\n\n  # one\n  - a   # why\n\n  # two\n  - b.c # \u00e9\n  - new.a\n  - new.b\n  # after\n\nparameters:\n  x:  'y'\n",
    ),
    ("quotes and wide dashes", "classes:\n  -   'a'\n", "classes:\n  -   'a'\n  -   'new.a'\n  -   'new.b'\n"),
    ("inline list", "classes: [a, b]  # c\np: 1\n", "classes: [a, b, new.a, new.b]  # c\np: 1\n"),
    ("inline over lines", "classes: [a,\n  b,\n]\n", "classes: [a,\n  b, new.a, new.b,\n]\n"),
    ("empty inline list", "classes: []\n", "classes: [new.a, new.b]\n"),
    ("key without value", "classes: # c\np: 1\n", "classes: # c\n- new.a\n- new.b\np: 1\n"),
    ("classes at the end", "p: 1\nclasses:\n- a\n\n\n# end\n", "p: 1\nclasses:\n- a\n- new.a\n- new.b\n\n\n# end\n"),
    ("CRLF", "classes:\r\n- a\r\np: 1\r\n", "classes:\r\n- a\r\n- new.a\r\n- new.b\r\np: 1\r\n"),
    ("no final newline", "classes:\n  - a", "classes:\n  - a\n  - new.a\n  - new.b"),
    ("byte order mark", "\ufeffclasses:\n- a\n", "\ufeffclasses:\n- a\n- new.a\n- new.b\n"),
    ("JSON", '{"parameters": {"x": 1}}\n', '{"classes": ["new.a", "new.b"], "parameters": {"x": 1}}\n'),
    ("indented document", "  classes:\n  - a\n  p: 1\n", "  classes:\n  - a\n  - new.a\n  - new.b\n  p: 1\n"),
    ("document end", "p: 1\n...\n", "classes:\n- new.a\n- new.b\np: 1\n...\n"),
]
REFUSED = [
    ("explicit null", "classes: ~\n"),
    ("one name instead of a list", "classes: a\n"),
    ("an alias", "x: &names [a]\nclasses: *names\n"),
    ("a folded item at the end", "classes:\n- a\n- >-\n  b\np: 1\n"),
    ("two documents", "classes: [a]\n---\nclasses: [b]\n"),
    ("no mapping", "- a\n"),
    ("tab before a comment, which PyYAML refuses", "classes:\n- a \t# tab\np: 1\n"),
    ("tab as indentation", "classes:\n\t- a\n"),
    ("not YAML", "classes: [a\n"),
]


@pytest.mark.parametrize(("what", "before", "after"), KEPT, ids=[case[0] for case in KEPT])
def test_only_the_new_items_are_added(what: str, before: str, after: str) -> None:
    assert with_classes(before, ["new.a", "new.b"], "file.yml") == after


@pytest.mark.parametrize(("what", "before", "after"), KEPT, ids=[case[0] for case in KEPT])
def test_a_second_time_changes_nothing(what: str, before: str, after: str) -> None:
    assert with_classes(after, ["new.a", "new.b"], "file.yml") == after


@pytest.mark.parametrize(("what", "text"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_file_that_would_have_to_be_rewritten_is_refused_by_name(what: str, text: str) -> None:
    with pytest.raises(Refused, match=r"file\.yml cannot be extended.*add new\.a to its list classes by hand"):
        with_classes(text, ["new.a"], "file.yml")
