"""Control: API, drops, queues, functions, events and the schedule: the wires of the platform, on one screen."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import triggers
from constructs import Construct

from infra import drop
from infra.cluster import Cluster, grant_group
from infra.drop import Drop
from infra.foundation import Foundation
from infra.handlers import Handlers, Surroundings
from infra.internal_api import InternalApi
from infra.layers import Layers
from infra.object_rule import ObjectRule
from infra.people import People
from infra.platform_function import PlatformFunction, Workshop
from infra.public_api import PublicApi
from infra.runner_role import RunnerRole
from infra.settings import Settings
from infra.task_queue import TaskQueue


class Control(cdk.Stack):
    """`workshop` and `queue()` are how a further function is added."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        env: cdk.Environment,
        settings: Settings,
        foundation: Foundation,
        cluster: Cluster,
        root: Path,
    ) -> None:
        super().__init__(scope, id, env=env, description="Tapedeck: control plane")
        self._settings = settings
        layers = Layers(self, "Layers", root=root)
        self.workshop = Workshop(settings=settings, network=foundation.network, layers=layers, root=root)
        self.people = People(self, "People", settings=settings)

        self.tasks = self.queue("Tasks", "backtest_tasks", timeout=30)
        self.run_events = self.queue("RunEvents", "run_events", timeout=30)
        self.render_tasks = self.queue("RenderTasks", "render_tasks", timeout=120)
        self.uploads = self.queue("Uploads", "uploads", timeout=60)
        self.vendor_files = self.queue("VendorFiles", "vendor_files", timeout=900)
        self.queues = [self.tasks, self.run_events, self.render_tasks, self.uploads, self.vendor_files]
        self.upload_drop = Drop(self, "UploadDrop", settings=settings, purpose="upload", queue=self.uploads)
        self.vendor_drop = Drop(
            self,
            "VendorDrop",
            settings=settings,
            purpose="vendor",
            queue=self.vendor_files,
            lifecycle=[drop.working()],
        )

        around = Surroundings(
            foundation=foundation,
            cluster=cluster,
            tasks=self.tasks.queue,
            dead_tasks=self.tasks.dead_letters,
            operator=self.people.operator,
        )
        handlers = Handlers(self, self.workshop, around)
        self._apis(handlers, foundation)
        self._queued(handlers)
        self._scheduled(handlers, foundation)
        self._cluster_access(cluster)
        self._events(foundation)
        self.people.may_call(self.public_api.api)
        self.people.may_drop(strategies=self.upload_drop, vendor_files=self.vendor_drop)
        self.people.may_watch()
        self._outputs()

    def queue(self, id: str, name: str, *, timeout: int) -> TaskQueue:
        """Add a queue whose function has `timeout` seconds."""
        return TaskQueue(self, id, settings=self._settings, name=name, timeout=timeout)

    @property
    def functions(self) -> list[PlatformFunction]:
        """Every function of the platform."""
        return [c for c in self.node.children if isinstance(c, PlatformFunction)]

    def _apis(self, handlers: Handlers, foundation: Foundation) -> None:
        self.api = handlers.api()
        self.public_api = PublicApi(self, "PublicApi", settings=self._settings, handler=self.api)
        self.credentials = handlers.credentials()
        self.runner = RunnerRole(
            self, "Runner", settings=self._settings, foundation=foundation, issuer=self.credentials
        )
        self.internal_api = InternalApi(
            self,
            "InternalApi",
            settings=self._settings,
            endpoint=foundation.network.endpoints["ExecuteApi"],
            credentials=self.credentials,
        )

    def _queued(self, handlers: Handlers) -> None:
        self.dispatch = handlers.dispatch(self.internal_api.credentials_url)
        self.record = handlers.record()
        self.render = handlers.render()
        self.upload = handlers.upload(self.upload_drop)
        self.ingest = handlers.ingest(self.vendor_drop, self.vendor_files.queue)
        self.tasks.feed(self.dispatch, batch=10, concurrency=5)
        self.run_events.feed(self.record, batch=10, concurrency=10)
        self.render_tasks.feed(self.render, batch=1, concurrency=10)
        self.uploads.feed(self.upload, batch=1, concurrency=5)
        self.vendor_files.feed(self.ingest, batch=1, concurrency=2)

    def _scheduled(self, handlers: Handlers, foundation: Foundation) -> None:
        self.reconcile = handlers.reconcile()
        events.Rule(
            self,
            "EveryMinute",
            schedule=events.Schedule.rate(cdk.Duration.minutes(1)),
            targets=[targets.LambdaFunction(self.reconcile.function, retry_attempts=0)],  # the next minute is the retry
        )
        self.migrate = handlers.migrate()
        triggers.Trigger(
            self,
            "Migration",
            handler=self.migrate.function,
            timeout=cdk.Duration.seconds(self.migrate.timeout),
            execute_after=[self.migrate.role],
        )

    def _cluster_access(self, cluster: Cluster) -> None:
        for function, group in (
            (self.dispatch, "backtest-dispatchers"),
            (self.reconcile, "backtest-dispatchers"),
            (self.credentials, "backtest-token-readers"),
        ):
            grant_group(function, "ClusterAccess", cluster=cluster.cluster, role=function.role, group=group)

    def _events(self, foundation: Foundation) -> None:
        runs = foundation.runs.objects
        ObjectRule(self, "RunEvent", bucket=runs, pattern="runs/*/events/*.json", queue=self.run_events.queue)
        ObjectRule(self, "RunResult", bucket=runs, pattern="runs/*/result.json", queue=self.render_tasks.queue)

    def _outputs(self) -> None:
        for name, value in (
            ("ApiUrl", self.public_api.url),
            ("UploadBucket", self.upload_drop.bucket.objects.bucket_name),
            ("VendorBucket", self.vendor_drop.bucket.objects.bucket_name),
            ("ResearcherRole", self.people.researcher.role_arn),
            ("DataOwnerRole", self.people.data_owner.role_arn),
            ("OperatorRole", self.people.operator.role_arn),
        ):
            cdk.CfnOutput(self, name, value=value)
