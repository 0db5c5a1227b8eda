"""Pillar of small clouds, as reclass would render it."""

from __future__ import annotations

import copy
from typing import Any

NODES = {"backup": ["cfg01.lab.local"], "database": ["dbs01.lab.local"], "upgrade": ["upg01.lab.local"]}


def _users(name: str) -> dict[str, Any]:
    return {name: {"users": [{"name": "nova_upgrade", "password": "secret-clone", "host": "%"}]}}


LAB: dict[str, dict[str, Any]] = {
    "cfg01.lab.local": {
        "upgrader": {"cloud": "lab", "release": {"source": "mitaka", "target": "ocata"}, "nodes": NODES},
        "mysql": {
            "client": {
                "server": {
                    "upgrade": {
                        "admin": {
                            "host": "dbs01.lab.local",
                            "port": 3306,
                            "user": "upgrader",
                            "password": "secret-admin",
                        },
                        "database": {
                            **_users("nova_upgrade"),
                            **_users("nova_upgrade_api"),
                            **_users("nova_upgrade_cell0"),
                        },
                    }
                }
            }
        },
        "xtrabackup": {
            "server": {
                "enabled": True,
                "backup_dir": "/srv/backup/upgrader",
                "key": {"dbs01": {"key": "ssh-ed25519 AAAA"}},
            }
        },
    },
    "dbs01.lab.local": {
        "xtrabackup": {
            "client": {
                "target": {"host": "cfg01.lab.local", "host_key": "ssh-ed25519 BBBB", "private_key": "secret-key"}
            }
        }
    },
    "upg01.lab.local": {
        "nova": {
            "controller": {
                "database": {
                    "host": "dbs01.lab.local",
                    "name": "nova_upgrade",
                    "user": "nova_upgrade",
                    "password": "secret-clone",
                },
                "message_queue": {"host": "upg01.lab.local", "user": "openstack", "password": "secret-queue"},
            }
        }
    },
}


def lab_pillar() -> dict[str, dict[str, Any]]:
    """A fresh copy that a test may break."""
    return copy.deepcopy(LAB)
