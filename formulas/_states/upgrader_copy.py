"""What must be so before a service of the copy starts."""

from salt.exceptions import CommandExecutionError

__virtualname__ = "upgrader_copy"


def __virtual__():
    return __virtualname__


def isolated(name, service=None):
    """The service's configuration leads to this node and its clones only. Changes nothing; for nova the cells count too."""
    ret = {"name": name, "changes": {}, "result": True, "comment": ""}
    service = service or name
    try:
        ret["comment"] = __salt__["upgrader_copy.isolated"](service)["comment"]
        if service == "nova":
            __salt__["upgrader_nova.assert_isolated"]()
    except CommandExecutionError as error:
        # Under test=True the configuration may not be written yet: then nothing can be said of it.
        ret.update(result=None if __opts__["test"] else False, comment=str(error))
    return ret
