"""All questions, service by service. docs/preflight.md is generated from this."""

import typing

from upgrader_node.preflight import (
    cinder,
    every_service,
    glance,
    heat,
    image_properties,
    keystone,
    left_out,
    leftovers,
    neutron,
    nova,
    nova_objects,
    server,
    tighter,
)
from upgrader_node.preflight.question import EVERY_SERVICE, SERVER, Question

REPAIR_STEP = nova.REPAIR_STEP
ASKED = (
    keystone.QUESTIONS
    + glance.QUESTIONS
    + nova.QUESTIONS
    + nova_objects.QUESTIONS
    + cinder.QUESTIONS
    + neutron.QUESTIONS
    + heat.QUESTIONS
    + every_service.QUESTIONS
    + server.QUESTIONS
)
# Those that have code of their own instead of one statement.
BUILT = (*image_properties.QUESTIONS, *left_out.QUESTIONS, *leftovers.QUESTIONS, tighter.QUESTION)


def of_service(service: str) -> typing.Tuple[Question, ...]:
    """Its own questions and those about every database; of the server as a whole only its own."""
    wanted = (service,) if service == SERVER else (service, EVERY_SERVICE)
    return tuple(question for question in ASKED if question.service in wanted)
