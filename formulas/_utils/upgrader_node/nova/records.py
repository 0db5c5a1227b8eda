"""Request specs and keypair records as nova's own objects make them; the worker's Python 2.7 part that knows nova.

Whatever stands in a row comes from the very functions of nova 15.1 that ``migrate_instances_add_request_spec`` and
``migrate_instance_keypairs`` call. Only the questions to the database are asked for hundreds of instances at once.
"""

import collections
import json
import sys

if sys.version_info >= (3,):
    import typing  # noqa: F401 (for type comments: Python 2.7 has neither annotations nor this module)

from upgrader_node.nova.door import Door, marks, novas, packets, quoted, room  # noqa: F401 (Door: in type comments)

STATEMENT_BYTES = 700000
PROVE_EVERY = 100


class Unusual(Exception):
    """Why one instance is left to nova-manage."""


Mould = collections.namedtuple("Mould", "uuid project zone")
MOULD = Mould("5afe0000-0000-4000-8000-00000000c0de", "project-of-the-mould", "zone-of-the-mould")
Built = collections.namedtuple("Built", "uuid spec")


def cast(blank, uuid, project, zone):
    # type: (str, str, str, typing.Optional[str]) -> str
    """A spec that nova made for the mould's uuid, project and zone, with an instance's own in their places."""
    text = blank.replace('"' + MOULD.uuid + '"', json.dumps(uuid)).replace(
        '"' + MOULD.project + '"', json.dumps(project)
    )
    return text if zone is None else text.replace('"' + MOULD.zone + '"', json.dumps(zone))


class Specs(object):
    """Request specs as ``nova.objects.request_spec._create_minimal_request_spec`` makes them, for instances in no group."""

    def __init__(self, context, main, api, order):
        # type: (typing.Any, Door, Door, typing.Mapping[str, typing.Any]) -> None
        self._context, self._main, self._api, self._objects = context, main, api, novas("nova.objects")
        self._schema, self._other = order["main"][2], order["api"][2]
        # What nova's own code raises over a row that it cannot use. Anything else ends this process.
        versioned = novas("oslo_versionedobjects.exception").VersionedObjectsException
        self._trouble = (
            novas("nova.exception").NovaException,
            versioned,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
        )
        self._flavors, self._images, self._moulds = {}, {}, {}  # type: ignore[var-annotated]

    def migrate(self, ids, result):
        # type: (typing.Sequence[int], typing.Dict[str, typing.Any]) -> None
        """Insert the specs of some instances; what is left out is counted in ``result["left"]``."""
        built = []
        for row, image in self._instances(ids, result["left"]):
            try:
                built.append(self._build(row, image))
            except Unusual as reason:
                result["left"][str(reason)] += 1
            except self._trouble as error:
                result["left"]["nova's objects refuse it ({0})".format(type(error).__name__)] += 1
        for packet in packets(built, lambda one: len(one.spec), STATEMENT_BYTES):
            values = []  # type: typing.List[typing.Any]
            for one in packet:
                values += [one.uuid, one.spec]
            statement = "INSERT INTO request_specs (created_at, instance_uuid, spec) VALUES "
            statement += ", ".join(["(UTC_TIMESTAMP(), %s, %s)"] * len(packet))
            result["specs"] += self._api.change(statement, values)

    def _instances(self, ids, left):
        # type: (typing.Sequence[int], typing.Dict[str, int]) -> typing.Iterator[typing.Any]
        """Each instance with the one row of its extras and its image; those that need a closer look are counted, not given."""
        statement = (
            "SELECT i.uuid, i.project_id, i.availability_zone, e.flavor, e.numa_topology, e.pci_requests, e.deleted"
            " FROM {0}.instances i LEFT JOIN {0}.instance_extra e ON e.instance_uuid = i.uuid WHERE i.id IN ({1})"
        ).format(quoted(self._schema), marks(ids))
        found, told = self._main.rows(statement, ids), set()  # type: typing.Any, typing.Set[typing.Any]
        extras = collections.Counter(row[0] for row in found)
        grouped, metadata = self._grouped(list(extras)), self._metadata(list(extras))
        for row in found:
            image = metadata.get(row[0], {})
            if row[0] in grouped:
                reason = "member of a server group"
            elif extras[row[0]] > 1 or row[6] != 0:
                reason = "not exactly one live row in instance_extra"
            elif image is None:
                reason = "a key twice in its system metadata"
            else:
                yield row, image
                continue
            left[reason] += 1 if row[0] not in told else 0
            told.add(row[0])

    def _grouped(self, uuids):
        # type: (typing.Sequence[typing.Any]) -> typing.Set[typing.Any]
        """Instances that nova might find a group for (bug 1830747 stops on them), in the old place or the new one."""
        if not uuids:
            return set()
        old = "SELECT m.instance_id FROM instance_group_member m WHERE m.deleted = 0 AND m.instance_id IN ({0})".format(
            marks(uuids)
        )
        new = "SELECT m.instance_uuid FROM instance_group_member m WHERE m.instance_uuid IN ({0})".format(marks(uuids))
        return {row[0] for row in self._main.rows(old, uuids)} | {row[0] for row in self._api.rows(new, uuids)}

    def _metadata(self, uuids):
        # type: (typing.Sequence[typing.Any]) -> typing.Dict[typing.Any, typing.Any]
        """System metadata by instance, deleted rows too, as nova reads it; None where a key comes twice (which would win?)."""
        found = {}  # type: typing.Dict[typing.Any, typing.Any]
        if not uuids:
            return found
        statement = "SELECT instance_uuid, `key`, value FROM instance_system_metadata WHERE instance_uuid IN ({0})"
        for uuid, key, value in self._main.rows(statement.format(marks(uuids)), uuids):
            mine = found.setdefault(uuid, {})
            if mine is None or key in mine:
                found[uuid] = None
            else:
                mine[key] = value
        return found

    def _build(self, row, metadata):
        # type: (typing.Any, typing.Dict[str, str]) -> Built
        """The spec of one instance: from the mould of its kind where it has nothing of its own but uuid, project and zone."""
        uuid, project, zone, flavor, numa, pci, _ = row
        if not flavor:
            raise Unusual("no flavor in instance_extra")
        image = frozenset(metadata.items())
        if numa is not None or pci not in (None, "[]") or not project:
            text = self._novas_own(uuid, project, zone, flavor, numa, pci, image)
            self._read_back(uuid, text)
            return Built(uuid, text)
        kind = (flavor, image, pci, zone is None)
        if kind not in self._moulds:
            room(self._moulds)
            blank = self._novas_own(
                MOULD.uuid, MOULD.project, None if zone is None else MOULD.zone, flavor, None, pci, image
            )
            self._moulds[kind] = [blank, 0]
        mould = self._moulds[kind]
        text = cast(mould[0], uuid, project, zone)
        if mould[1] % PROVE_EVERY == 0:
            self._prove(text, self._novas_own(uuid, project, zone, flavor, None, pci, image))
            self._read_back(uuid, text)
        mould[1] += 1
        return Built(uuid, text)

    def _novas_own(self, uuid, project, zone, flavor, numa, pci, image):
        # type: (typing.Any, typing.Any, typing.Any, typing.Any, typing.Any, typing.Any, typing.Any) -> str
        """The steps of ``Instance._from_db_object`` and ``_create_minimal_request_spec``, without the questions to the database."""
        instance = self._objects.Instance(self._context, uuid=uuid)
        instance._load_numa_topology(numa)
        instance._load_pci_requests(pci)
        spec = self._objects.RequestSpec.from_components(
            self._context, uuid, self._image(image), self._flavor(flavor), instance.numa_topology,
            instance.pci_requests, {}, None, zone, project_id=project,
        )  # fmt: skip
        return str(spec._get_update_primitives()["spec"])

    def _prove(self, text, novas_text):
        # type: (str, str) -> None
        """The first of each kind, and then one in many, is also made without a mould; a difference ends this process."""
        if json.loads(text) != json.loads(novas_text):
            raise AssertionError("a request spec from a mould differs from nova's own")

    def _read_back(self, uuid, text):
        # type: (typing.Any, str) -> None
        """As nova does with each spec that it wrote; raises when nova could not use it."""
        self._objects.RequestSpec._from_db_object(
            self._context, self._objects.RequestSpec(), {"id": 1, "instance_uuid": uuid, "spec": text}
        )

    def _flavor(self, text):
        # type: (str) -> typing.Any
        """A flavor is read once and shared: specs only copy it."""
        if text not in self._flavors:
            room(self._flavors)
            instance = self._objects.Instance(self._context)
            instance._flavor_from_db(text)
            self._flavors[text] = instance.flavor
        return self._flavors[text]

    def _image(self, items):
        # type: (typing.FrozenSet[typing.Tuple[str, str]]) -> typing.Any
        if items not in self._images:
            room(self._images)
            self._images[items] = self._objects.ImageMeta.from_instance({"system_metadata": dict(items)})
        return self._images[items]


class KeyPairs(object):
    """``instance_extra.keypairs`` as ``nova.objects.instance._migrate_instance_keypairs`` fills it; a key is looked up once."""

    def __init__(self, context, main, order):
        # type: (typing.Any, Door, typing.Mapping[str, typing.Any]) -> None
        self._context, self._main, self._schema = context, main, quoted(order["main"][2])
        self._texts = {}  # type: typing.Dict[typing.Any, str]

    def migrate(self, extras, result):
        # type: (typing.Sequence[int], typing.Dict[str, typing.Any]) -> None
        statement = (
            "SELECT e.id, i.user_id, i.key_name FROM {0}.instance_extra e JOIN {0}.instances i ON i.uuid = e.instance_uuid"
            " WHERE e.id IN ({1})"
        ).format(self._schema, marks(extras))
        by_text = collections.defaultdict(list)  # type: typing.Dict[str, typing.List[int]]
        for identity, user, name in self._main.rows(statement, extras):
            by_text[self._text(user, name)].append(identity)
        for text, ids in sorted(by_text.items()):
            change = "UPDATE instance_extra SET keypairs = %s, updated_at = UTC_TIMESTAMP() WHERE keypairs IS NULL AND deleted = 0 AND id IN ({0})"
            result["keypairs"] += self._main.change(change.format(marks(ids)), [text] + ids)

    def _text(self, user, name):
        # type: (typing.Any, typing.Any) -> str
        place = (user, name) if name else None
        if place not in self._texts:
            room(self._texts)
            self._texts[place] = self._made(user, name)
        return self._texts[place]

    def _made(self, user, name):
        # type: (typing.Any, typing.Any) -> str
        objects = novas("nova.objects")
        found = objects.KeyPairList(objects=[])
        if name:
            try:
                found.objects.append(objects.KeyPair.get_by_name(self._context, user, name))
            except novas("nova.exception").KeypairNotFound:
                pass  # as nova does: the key was deleted after the boot, the list stays empty
        return str(novas("oslo_serialization.jsonutils").dumps(found.obj_to_primitive()))
