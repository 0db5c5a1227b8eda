"""Heat at 71: a stack around every fifth instance, its template, resources, events with pickled properties, engines."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from upgrader.lab.mitaka.identity import ADDRESS
from upgrader.lab.mitaka.insert import Tables
from upgrader.lab.mitaka.instances import Ids, Instance
from upgrader.lab.mitaka.shape import CONTROLLERS, STACK_EVERY, TODAY, Shape, generator, uuid4

# Opens nothing but a generated cloud: heat.conf's auth_encryption_key, and identity.PASSWORD encrypted with it.
ENCRYPTION_KEY = "0123456789abcdef0123456789abcdef"
ENCRYPTED = "gAAAAABrA8CG6xiPdaZt7dZ7PtIjcIM8KUAxdIX918Gl7OazvhJlaZ92MYgUd6pZhkqdJ6GBxvd5b16NeBtn__uOThzt6KBaTA=="
DECRYPT = "cryptography_decrypt_v1"
ENGINES_PER_CONTROLLER = 2
STATES = (
    ("CREATE", "COMPLETE"),
    ("UPDATE", "COMPLETE"),
    ("CREATE", "COMPLETE"),
    ("CREATE", "FAILED"),
    ("SUSPEND", "COMPLETE"),
)
NESTED_EVERY, DEPLOYED_EVERY, DELETED_EVERY = 4, 3, 10
TABLES = (
    "heat.raw_template", "heat.user_creds", "heat.stack", "heat.resource", "heat.resource_data", "heat.event", "heat.stack_tag",
    "heat.software_config", "heat.software_deployment", "heat.snapshot", "heat.stack_lock",
)  # fmt: skip
SERVER, PORT, GROUP = "OS::Nova::Server", "OS::Neutron::Port", "OS::Heat::ResourceGroup"


def fixed(shape: Shape) -> Tables:
    """The engines: those that report, and one that died long ago."""
    rows = [_engine(shape, host, n) for host in CONTROLLERS for n in range(ENGINES_PER_CONTROLLER)]
    dead = TODAY - timedelta(days=200)
    return {"heat.service": [*rows, _engine(shape, "ctl01", 99) | {"updated_at": dead, "deleted_at": dead}]}


def _engine(shape: Shape, host: str, number: int) -> dict[str, Any]:
    return {
        "id": uuid4(generator(shape.seed, "heat service", host, number)), "engine_id": uuid4(generator(shape.seed, "engine", host, number)),
        "host": host, "hostname": host, "binary": "heat-engine", "topic": "engine", "report_interval": 60,
        "created_at": TODAY - timedelta(days=90), "updated_at": TODAY, "deleted_at": None,
    }  # fmt: skip


def of_instances(instances: Sequence[Instance], ids: Ids) -> Tables:
    """The stacks that made these instances."""
    tables: Tables = {table: [] for table in TABLES}
    for instance in instances:
        if instance.shape.has_stack(instance.number):
            _Stack(instance, ids, tables).write()
    return tables


class _Stack:
    """One stack of a server and its port; every fourth holds a nested one, every tenth has a deleted predecessor."""

    def __init__(self, instance: Instance, ids: Ids, tables: Tables) -> None:
        self.instance, self.ids, self.tables = instance, ids, tables
        self.order, self.made = instance.number // STACK_EVERY, instance.created - timedelta(seconds=40)
        self.id = self.uuid("stack")
        self.state = STATES[self.order % len(STATES)]

    def uuid(self, *parts: object) -> str:
        return uuid4(generator(self.instance.shape.seed, "heat", self.instance.number, *parts))

    def add(self, table: str, **row: Any) -> None:
        self.tables[f"heat.{table}"].append(row)

    def number(self, table: str) -> int:
        return self.ids.next(f"heat.{table}")

    def write(self) -> None:
        template = self._template()
        self._stack(self.id, self.name, template)
        self._resources(template)
        if self.order % NESTED_EVERY == 0:
            self._nested()
        if self.order % DEPLOYED_EVERY == 0:
            self._deployment()
        if self.order % DELETED_EVERY == 0:
            gone = self.made - timedelta(days=1)
            self._stack(self.uuid("deleted"), self.name, self._template(), gone=gone)
        self.add("stack_tag", id=self.number("stack_tag"), created_at=self.made, tag="büro", stack_id=self.id)
        if self.order == 0:
            # Left by an engine that was killed.
            self.add("stack_lock", stack_id=self.id, created_at=TODAY, engine_id=self.uuid("engine"))
            self.add("snapshot", id=self.uuid("snapshot"), stack_id=self.id, name="monday", created_at=TODAY, status="COMPLETE",
                     status_reason="", data=json.dumps({"id": self.id, "resources": {}}), tenant=self.instance.project)  # fmt: skip

    @property
    def name(self) -> str:
        return f"stack-{self.instance.number:06d}"

    def _template(self) -> int:
        instance, number = self.instance, self.number("raw_template")
        server = {"type": SERVER, "properties": self._properties(SERVER)}
        port = {"type": PORT, "properties": {"network": instance.shape.network(instance.project)}}
        text = {
            "heat_template_version": "2015-10-15",
            "description": "Prüfstand",
            "resources": {"server": server, "port": port},
        }
        environment = {
            "parameters": {},
            "resource_registry": {"resources": {}},
            "parameter_defaults": {},
            "encrypted_param_names": [],
        }
        self.add("raw_template", id=number, created_at=self.made, updated_at=None, template=json.dumps(text), files="{}",
                 environment=json.dumps(environment))  # fmt: skip
        return number

    def _credentials(self) -> int:
        """The password kind (``deferred_auth_method = password``), encrypted as heat did it."""
        instance, number = self.instance, self.number("user_creds")
        user, tenant = instance.shape.user_names[instance.user], instance.shape.tenant_names[instance.project]
        self.add("user_creds", id=number, created_at=self.made, updated_at=None, username=user, password=ENCRYPTED, decrypt_method=DECRYPT,
                 tenant=tenant, auth_url=f"http://{ADDRESS}:5000/v3", tenant_id=instance.project, trust_id=None, trustor_user_id=None,
                 region_name=None)  # fmt: skip
        return number

    def _stack(
        self, identity: str, name: str, template: int, *, owner: str | None = None, gone: datetime | None = None
    ) -> None:
        instance = self.instance
        action, status = ("DELETE", "COMPLETE") if gone else self.state
        made = gone - timedelta(hours=1) if gone else self.made
        self.add("stack", id=identity, created_at=made, updated_at=made + timedelta(seconds=60) if action == "UPDATE" else None, deleted_at=gone,
                 name=name, raw_template_id=template, prev_raw_template_id=None, user_creds_id=None if gone or owner else self._credentials(),
                 username=instance.shape.user_names[instance.user], owner_id=owner, action=action, status=status,
                 status_reason=f"Stack {action} {'completed successfully' if status == 'COMPLETE' else 'failed: büro'}", timeout=60,
                 tenant=instance.project, disable_rollback=1, stack_user_project_id=instance.shape.stack_project(instance.number), backup=0,
                 nested_depth=int(owner is not None), convergence=0, current_traversal=None, current_deps="null",
                 parent_resource_name="group" if owner else None)  # fmt: skip

    def _properties(self, kind: str) -> dict[str, Any]:
        instance = self.instance
        if kind == PORT:
            return {"network": instance.shape.network(instance.project), "admin_state_up": True}
        return {
            "flavor": instance.flavor.name,
            "image": instance.image.id,
            "name": f"vm-{instance.number:06d}",
            "metadata": {"role": "büro"},
        }

    def _resources(self, template: int) -> None:
        instance = self.instance
        made: list[tuple[str, str, str | None]] = [("port", PORT, instance.port), ("server", SERVER, instance.uuid)]
        if self.order % NESTED_EVERY == 0:
            made.append(("group", GROUP, self.uuid("nested")))
        for name, kind, physical in made:
            self._resource(self.id, name, kind, physical, template)

    def _resource(self, stack: str, name: str, kind: str, physical: str | None, template: int) -> None:
        action, status = self.state
        failed = status == "FAILED" and name == "server"
        number = self.number("resource")
        self.add("resource", id=number, uuid=self.uuid("resource", stack, name), nova_instance=physical, name=name, created_at=self.made,
                 updated_at=self.made, action=action, status="FAILED" if failed else "COMPLETE", status_reason="state changed", stack_id=stack,
                 rsrc_metadata="{}", properties_data=json.dumps(self._properties(kind)), engine_id=None, atomic_key=None, needed_by="[]",
                 requires="[]", replaces=None, replaced_by=None, current_template_id=template, properties_data_encrypted=0,
                 root_stack_id=self.id)  # fmt: skip
        if name == "server":
            self.add("resource_data", id=self.number("resource_data"), created_at=self.made, updated_at=None, key="password", value=ENCRYPTED,
                     redact=1, decrypt_method=DECRYPT, resource_id=number)  # fmt: skip
        for second, (moment, reason) in enumerate(
            (("IN_PROGRESS", "state changed"), ("FAILED" if failed else "COMPLETE", "state changed"))
        ):
            self.add("event", id=self.number("event"), uuid=self.uuid("event", stack, name, second), stack_id=stack,
                     created_at=self.made + timedelta(seconds=second), updated_at=None, resource_action=action, resource_status=moment,
                     resource_name=name, physical_resource_id=physical, resource_status_reason=reason, resource_type=kind,
                     resource_properties=pickle.dumps(self._properties(kind), protocol=2))  # fmt: skip

    def _nested(self) -> None:
        nested, template = self.uuid("nested"), self._template()
        self._stack(nested, f"{self.name}-group", template, owner=self.id)
        self._resource(nested, "0", PORT, self.uuid("nested port"), template)

    def _deployment(self) -> None:
        config, tenant = self.uuid("config"), self.instance.project
        text = json.dumps({"inputs": [], "outputs": [], "options": {}, "config": "#!/bin/sh\necho büro\n"})
        self.add(
            "software_config",
            id=config,
            created_at=self.made,
            updated_at=None,
            name="setup",
            group="script",
            config=text,
            tenant=tenant,
        )
        self.add("software_deployment", id=self.uuid("deployment"), created_at=self.made, updated_at=None, server_id=self.instance.uuid,
                 config_id=config, input_values="{}", output_values='{"deploy_stdout": "b\\u00fcro"}', action="CREATE", status="COMPLETE",
                 status_reason="Outputs received", tenant=tenant,
                 stack_user_project_id=self.instance.shape.stack_project(self.instance.number))  # fmt: skip
