"""What glance's own rows do to the upgrade: they only take time."""

from upgrader_node.preflight.question import GLANCE, NOTE, Question

QUESTIONS = (
    Question(
        "images-deleted", GLANCE, "images", NOTE, "images are marked as deleted", "they get a visibility with the rest",
        "'glance-manage db purge' on the live cloud saves that time", "glance alembic ocata01",
        "SELECT id AS named FROM {db}.images WHERE deleted = 1 ORDER BY id", milliseconds=0.1,
    ),
)  # fmt: skip
