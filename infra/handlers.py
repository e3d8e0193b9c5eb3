"""The functions: what each is told (environment) and what each may do (statements), one method a function."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.cluster import NAMESPACE, Cluster
from infra.drop import INCOMING, STATUS, WORKING, Drop
from infra.foundation import Foundation
from infra.permissions import Statements, list_keys, log_in, read, send, write
from infra.platform_function import PlatformFunction, Workshop

RENDERED = ("run.json", "result.json", "artifacts/*", "logs/*")  # of what runs leave, the source of a copy included


@dataclass(frozen=True)
class Surroundings:
    """What functions stand beside."""

    foundation: Foundation
    cluster: Cluster
    tasks: sqs.IQueue
    dead_tasks: sqs.IQueue
    operator: iam.IRole

    def database(self) -> dict[str, str]:
        """Where the rows are."""
        return {"DB_SECRET_ARN": self.foundation.database.secret.secret_arn}

    def runs(self) -> dict[str, str]:
        """Where runs leave what they made."""
        return {"RUNS_BUCKET": self.foundation.runs.objects.bucket_name}

    def market(self) -> dict[str, str]:
        """Where prices are."""
        return {"MARKET_BUCKET": self.foundation.market.objects.bucket_name}

    def images(self) -> dict[str, str]:
        """What pods are made of."""
        images = self.cluster.images
        return {"SIDECAR_IMAGE": images.sidecar.image_uri, "STRATEGY_IMAGE": images.strategy.image_uri}

    def kubernetes(self) -> dict[str, str]:
        """How to reach the cluster."""
        cluster = self.cluster.cluster
        return {
            "CLUSTER_NAME": cluster.cluster_name,
            "CLUSTER_ENDPOINT": cluster.cluster_endpoint,
            "CLUSTER_CA": cluster.cluster_certificate_authority_data,
            "CLUSTER_NAMESPACE": NAMESPACE,
        }


class Handlers:
    """Makes the functions below `scope`; timeouts in seconds, memory in MiB."""

    def __init__(self, scope: Construct, workshop: Workshop, around: Surroundings) -> None:
        self._scope = scope
        self._workshop = workshop
        self._a = around
        self._runs = around.foundation.runs
        self._market = around.foundation.market
        self._log_in = log_in(around.foundation.database)

    def _function(
        self,
        id: str,
        *,
        timeout: int,
        memory: int,
        environment: dict[str, str],
        statements: Statements,
        disk: int = 512,
    ) -> PlatformFunction:
        return PlatformFunction(
            self._scope,
            id,
            workshop=self._workshop,
            name=id.lower(),
            timeout=timeout,
            memory=memory,
            environment=environment,
            statements=statements,
            disk=disk,
        )

    def api(self) -> PlatformFunction:
        """Submits runs and shows them; withdraws and names snapshots for operators."""
        a = self._a
        told = {**a.database(), **a.runs(), **a.market(), **a.images()}
        told |= {"TASKS_QUEUE_URL": a.tasks.queue_url, "OPERATOR_ROLE_ARN": a.operator.role_arn}
        may = [*self._submits(), *write(self._market, "snapshots/*/history.json", "snapshots/*/latest.json")]
        return self._function("Api", timeout=29, memory=1024, environment=told, statements=may)

    def upload(self, drop: Drop) -> PlatformFunction:
        """Submits what researchers drop."""
        a = self._a
        told = {**a.database(), **a.runs(), **a.market(), **a.images(), "TASKS_QUEUE_URL": a.tasks.queue_url}
        told["UPLOAD_BUCKET"] = drop.bucket.objects.bucket_name
        may = [
            *self._submits(),
            *read(drop.bucket, f"{INCOMING}*", versions=True),
            *write(drop.bucket, f"{STATUS}*"),
            *list_keys(drop.bucket),
        ]
        return self._function("Upload", timeout=60, memory=1024, environment=told, statements=may)

    def _submits(self) -> Statements:
        """What submitting takes, through whichever door; reading back what was made of it, too."""
        return [
            *self._log_in,
            *write(self._runs, "code/*", "runs/*/run.json"),
            *read(self._runs, "code/*", "runs/*", "reports/*", versions=True),
            *list_keys(self._runs),
            *read(self._market, "*"),
            *list_keys(self._market),
            *send(self._a.tasks),
        ]

    def dispatch(self, credentials_url: str) -> PlatformFunction:
        """Makes the cluster agree with a job's row."""
        a = self._a
        told = {**a.database(), **a.runs(), **a.market(), **a.kubernetes(), **a.images()}
        told["CREDENTIALS_URL"] = credentials_url
        may = [*self._log_in, *read(self._runs, "runs/*/run.json")]
        return self._function("Dispatch", timeout=30, memory=512, environment=told, statements=may)

    def record(self) -> PlatformFunction:
        """Takes a run's events into its row."""
        a = self._a
        told = {**a.database(), **a.runs(), "TASKS_QUEUE_URL": a.tasks.queue_url}
        may = [*self._records(), *send(a.tasks)]
        return self._function("Record", timeout=30, memory=512, environment=told, statements=may)

    def _records(self) -> Statements:
        """What recording takes, whoever found the event; a result is read in the version that its event pins."""
        return [
            *self._log_in,
            *read(self._runs, "runs/*/events/*.json"),
            *read(self._runs, "runs/*/result.json", versions=True),
            *list_keys(self._runs),
        ]

    def render(self) -> PlatformFunction:
        """Makes a report of a result."""
        may = [
            *self._log_in,
            *read(self._runs, *("runs/*/" + part for part in RENDERED), "code/*"),
            *write(self._runs, "reports/*"),
            *list_keys(self._runs),
        ]
        told = {**self._a.database(), **self._a.runs()}
        return self._function("Render", timeout=120, memory=1769, environment=told, statements=may)

    def reconcile(self) -> PlatformFunction:
        """Finds what was lost, every minute."""
        a = self._a
        told = {**a.database(), **a.runs(), **a.market(), **a.kubernetes(), "TASKS_QUEUE_URL": a.tasks.queue_url}
        told["DEAD_LETTER_QUEUE_URL"] = a.dead_tasks.queue_url
        may = [*self._records(), *send(a.tasks, a.dead_tasks)]
        return self._function("Reconcile", timeout=55, memory=512, environment=told, statements=may)

    def ingest(self, drop: Drop, queue: sqs.IQueue) -> PlatformFunction:
        """Makes partitions and a snapshot of a vendor's file, in as many calls as it takes; seals years it closes."""
        told = {**self._a.database(), **self._a.market()}
        told |= {"VENDOR_BUCKET": drop.bucket.objects.bucket_name, "VENDOR_QUEUE_URL": queue.queue_url}
        may = [
            *self._log_in,
            *read(drop.bucket, f"{INCOMING}*", versions=True),
            *read(drop.bucket, f"{STATUS}*"),  # what was answered is not taken in again
            *read(drop.bucket, f"{WORKING}*", versions=True),
            *write(drop.bucket, f"{STATUS}*", f"{WORKING}*"),
            *list_keys(drop.bucket),
            *send(queue),
            *read(self._market, "*", versions=True),
            *write(self._market, "*"),
            *list_keys(self._market),
        ]
        return self._function("Ingest", timeout=900, memory=3008, environment=told, statements=may, disk=10_240)

    def credentials(self) -> PlatformFunction:
        """Gives a sidecar one hour's credentials for its own attempt."""
        a = self._a
        told = {**a.database(), **a.runs(), **a.market(), **a.kubernetes()}
        return self._function("Credentials", timeout=10, memory=512, environment=told, statements=[*self._log_in])

    def migrate(self) -> PlatformFunction:
        """Brings the database's schema up to date."""
        return self._function(
            "Migrate", timeout=300, memory=512, environment=self._a.database(), statements=[*self._log_in]
        )
