"""One creator for each resource type that exists locally, grouped by what they make."""

from infra.local.deploy import Creator
from infra.local.resources import (
    alarms,
    database,
    events,
    functions,
    identity,
    kubernetes,
    messaging,
    rest,
    secrets,
    storage,
)

CREATORS: dict[str, Creator] = {
    **alarms.CREATORS,
    **database.CREATORS,
    **events.CREATORS,
    **functions.CREATORS,
    **identity.CREATORS,
    **kubernetes.CREATORS,
    **messaging.CREATORS,
    **rest.CREATORS,
    **secrets.CREATORS,
    **storage.CREATORS,
}
