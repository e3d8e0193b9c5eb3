"""The RDS instance: a PostgreSQL of this machine, with the template's user, password and database."""

from __future__ import annotations

from infra.local.assembly import Resource
from infra.local.deploy import Created, Creator, DeployError, Deployment


def instance(deployment: Deployment, resource: Resource) -> Created:
    """Start PostgreSQL; the password is the one that the template's secret got."""
    names = ("DBInstanceIdentifier", "DBName", "Engine", "MasterUsername", "MasterUserPassword")
    properties = deployment.properties(resource, *names)
    if properties["Engine"] != "postgres" or "MasterUserPassword" not in properties:
        raise DeployError(f"{resource}: only PostgreSQL with a password out of a secret runs locally")
    identifier = properties.get("DBInstanceIdentifier", deployment.name(resource, limit=63)).lower()
    database = properties.get("DBName", "postgres")
    deployment.databases[identifier] = database
    deployment.machine.database(properties["MasterUsername"], properties["MasterUserPassword"], database)
    return Created(
        identifier,
        {
            "DBInstanceArn": deployment.arn(resource, "rds", f"db:{identifier}"),
            "DbiResourceId": "db-LOCAL",
            "Endpoint.Address": deployment.machine.postgres_host,
            "Endpoint.Port": str(deployment.machine.postgres_port),
        },
    )


CREATORS: dict[str, Creator] = {"AWS::RDS::DBInstance": instance}
