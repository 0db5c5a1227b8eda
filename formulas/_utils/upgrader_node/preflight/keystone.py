"""What keystone's own rows do to the upgrade."""

from upgrader_node.preflight.question import BLOCKER, KEYSTONE, NOTE, Question

_NAMELESS = (
    "NOT EXISTS (SELECT 1 FROM {db}.local_user l WHERE l.user_id = u.id)"
    " AND NOT EXISTS (SELECT 1 FROM {db}.federated_user f WHERE f.user_id = u.id)"
)
_HOMELESS = "NOT EXISTS (SELECT 1 FROM {db}.project p WHERE p.id = l.domain_id)"
_MEMBERSHIPS = "CONCAT('DELETE FROM {db}.user_group_membership WHERE user_id = ''', u.id, '''')"
_USER = "CONCAT('DELETE FROM {db}.user WHERE id = ''', u.id, '''')"

QUESTIONS = (
    Question(
        "users-nameless", KEYSTONE, "users", BLOCKER, "users that neither local_user nor federated_user names",
        "contract dies at 015, where user.domain_id becomes NOT NULL, and leaves keystone half contracted",
        "delete them: nobody can log in as one of them", "LP 1642687, LP 1801873; keystone contract_repo 015",
        "SELECT u.id AS named, " + _MEMBERSHIPS + " AS mend, " + _USER + " AS mend_user FROM {db}.user u WHERE " + _NAMELESS + " ORDER BY u.id",
    ),
    Question(
        "users-homeless", KEYSTONE, "users", BLOCKER, "local users of a domain that is not there",
        "migrate dies at 014 (error 1452, a foreign key of user.domain_id) and leaves expand's triggers, so that credentials are read-only",
        "delete them, or give them a domain that is there", "LP 1718747; keystone data_migration_repo 014",
        "SELECT CONCAT(u.id, ' ', l.name, ' of domain ', l.domain_id) AS named, " + _MEMBERSHIPS + " AS mend, " + _USER
        + " AS mend_user FROM {db}.local_user l JOIN {db}.user u ON u.id = l.user_id WHERE " + _HOMELESS + " ORDER BY u.id",
    ),
    Question(
        "endpoints-v2", KEYSTONE, "endpoints", NOTE, "endpoints of identity that name the v2.0 API",
        "Ocata still answers there, and for users of the default domain only; Queens no longer does",
        "name v3 (class keystone.client.service.keystone3) once no client and no service asks for v2.0: keystone's access log tells who",
        "keystone 12.0.2 keystone-paste.ini: /v2.0; keystone 13 release notes: removed-as-of-queens",
        "SELECT CONCAT(e.interface, ' ', e.url, ' in ', COALESCE(e.region_id, 'no region')) AS named FROM {db}.endpoint e"
        " JOIN {db}.service s ON s.id = e.service_id WHERE s.type = 'identity'"
        " AND e.enabled = 1 AND e.url LIKE '%%/v2.0%%' ORDER BY e.interface, e.url",
    ),
    Question(
        "tokens-expired", KEYSTONE, "tokens", NOTE, "tokens that have expired",
        "they are copied, compared and flushed with the rest", "'keystone-manage token_flush' on the live cloud saves that time",
        "LP 1188378, LP 1689616", "SELECT id AS named FROM {db}.token WHERE expires < UTC_TIMESTAMP()",
        ("DELETE FROM {db}.token WHERE expires < UTC_TIMESTAMP()",), milliseconds=0.1,
    ),
)  # fmt: skip
