"""What production holds that its users made, by id and name: one question for each kind, the same at Mitaka's schema and Ocata's.

Nothing is asked that only one of the two schemas has: keystone's names are in ``local_user`` since migration 87 of Mitaka, the
soft-deleted rows are marked alike in both, and nova keeps its instances in its main database, those that found no host in
cell0 (since Ocata).
"""

import typing


class Kind(typing.NamedTuple):
    """One kind of object of a service. ``statement`` gives id, name and where it is; ``{db}`` is the service's database.

    ``more`` is a suffix of a second database that holds some of them, where it is there and has ``table``.
    """

    name: str
    service: str
    statement: str
    more: str = ""
    table: str = ""


KINDS = (
    Kind(
        "instances",
        "nova",
        "SELECT uuid, display_name, host FROM {db}.instances WHERE deleted = 0",
        "_cell0",
        "instances",
    ),
    Kind("volumes", "cinder", "SELECT id, display_name, host FROM {db}.volumes WHERE deleted = 0"),
    Kind("networks", "neutron", "SELECT id, name, NULL FROM {db}.networks"),
    Kind("ports", "neutron", "SELECT id, name, NULL FROM {db}.ports"),
    Kind("images", "glance", "SELECT id, name, NULL FROM {db}.images WHERE deleted = 0"),
    Kind(
        "users",
        "keystone",
        "SELECT u.id, l.name, NULL FROM {db}.user u LEFT JOIN {db}.local_user l ON l.user_id = u.id",
    ),
    # Domains are left out: Ocata makes one of each identity provider.
    Kind("projects", "keystone", "SELECT id, name, NULL FROM {db}.project WHERE is_domain = 0"),
    Kind("stacks", "heat", "SELECT id, name, NULL FROM {db}.stack WHERE deleted_at IS NULL AND owner_id IS NULL"),
)
SERVICES = tuple(dict.fromkeys(kind.service for kind in KINDS))
