"""The whole platform on one machine: `with Stack(assembly, state) as stack: ...`.

Reads all wires from the assembly. What it starts it ends, in the reverse order, each by its own pid.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3

from infra.local.assembly import Assembly, AssemblyError
from infra.local.child import StartError
from infra.local.cloud import Cloud
from infra.local.deploy import DeployError, Deployment, Machine, refuse_unknown
from infra.local.endpoints import Endpoints, environment
from infra.local.front_door import Call
from infra.local.gateway import Gateway
from infra.local.jobs_cluster import JobsCluster, images
from infra.local.node_cache import NodeCache
from infra.local.people import Login, People
from infra.local.ports import HOST, Ports, PortTakenError
from infra.local.postgres import Postgres
from infra.local.queues import Poller
from infra.local.resources import CREATORS
from infra.local.schedules import Scheduler
from infra.local.serving import serving
from infra.local.wires import Wires
from infra.local.workers import FunctionError, Workers

ROOT = Path(__file__).resolve().parents[2]
_GATEWAY_THREADS = 16


class Stack:
    """A running stack. `state` is emptied at the start; at the end only its logs are left.

    Enter it in a thread that lives as long as it does: the kernel ends its processes together with that thread.
    """

    def __init__(
        self,
        assembly: Path,
        state: Path,
        *,
        ports: Ports | None = None,
        venvs: Path = ROOT / "build" / "venvs",
        max_pods: int = 2,
        allow_weak_sandbox: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.assembly = Assembly.read(assembly)
        self.logs_dir = state.resolve() / "logs"
        self._state = state.resolve()
        self._wanted = ports or Ports.from_environment()
        self._venvs, self._max_pods, self._say = venvs, max_pods, say
        self._allow_weak_sandbox = allow_weak_sandbox
        self._cache = self.assembly.root.parent / "local-cache"
        self._cleanup = ExitStack()

    def __enter__(self) -> Stack:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End all that was started; safe to call again."""
        self._cleanup.close()

    # What tests and people ask a running stack.

    @property
    def endpoint_url(self) -> str:
        """Where the local AWS listens (AWS_ENDPOINT_URL)."""
        return self._cloud.endpoint

    @property
    def region(self) -> str:
        """The region of everything."""
        return self.assembly.stacks[0].region

    @property
    def wires(self) -> Wires:
        """What was deployed."""
        return self._deployment.wires

    @property
    def outputs(self) -> dict[str, str]:
        """The stacks' outputs as {"Stack.Name": value}, execute-api URLs being the local gateway's."""
        told = self._deployment.outputs()
        return {name: self._endpoints.local(value) for name, value in told.items() if ".ExportsOutput" not in name}

    @property
    def database_dsn(self) -> str:
        """How the database's owner connects."""
        return self._postgres.dsn

    @property
    def api(self) -> str:
        """The URL of the public API: the one whose calls are signed."""
        signed = [a for a in self.wires.apis.values() if any(m.authorization == "AWS_IAM" for m in a.methods)]
        if len(signed) != 1:
            raise AssemblyError(f"{len(signed)} APIs have signed calls")
        return self._endpoints.api_url(signed[0])

    def api_url(self, name: str) -> str:
        """Return the local URL of the REST API called `name`, with its stage, without a slash at the end."""
        return next(self._endpoints.api_url(api) for api in self.wires.apis.values() if api.name == name)

    def credentials(self, person: str) -> Login:
        """Return new credentials for alice, bob (researchers), dana (data owner) or otto (operator)."""
        return self._people.login(person)

    def session(self, person: str) -> boto3.Session:
        """Return a boto3 session of a person; its clients need `endpoint_url` (or AWS_ENDPOINT_URL)."""
        login = self.credentials(person)
        return boto3.Session(login.access_key, login.secret_key, login.token, region_name=self.region)

    def client(self, service: str, person: str | None = None) -> Any:
        """Return a client of a service that acts as a person, or, for tests, as the account's root."""
        if person is None:
            return self._cloud.client(service)
        return self.session(person).client(service, endpoint_url=self.endpoint_url)  # type: ignore[call-overload]

    def bucket(self, construct: str) -> str:
        """Return the name of the bucket below the construct called `construct` ("Runs", "UploadDrop" ...)."""
        buckets = [r for r in self.assembly.resources if r.type == "AWS::S3::Bucket"]
        found = [r for r in buckets if construct in r.path.split("/")]
        if len(found) != 1:
            paths = ", ".join(r.path for r in buckets)
            raise AssemblyError(f"{len(found)} buckets below a construct {construct}; there are {paths}")
        return self._deployment.create(found[0]).ref

    def queue(self, name: str) -> str:
        """Return the URL of the queue called `name`."""
        return next(url for arn, url in self.wires.queues.items() if arn.rpartition(":")[2] == name)

    def cache(self) -> dict[str, int]:
        """Return what the node's cache has counted; raises OSError while it does not listen."""
        with urllib.request.urlopen(f"http://{self._endpoints.cache}/metrics", timeout=5) as answer:
            return dict(json.load(answer))

    def environment(self, function: str) -> dict[str, str]:
        """Return the environment that the function's workers run with."""
        return self._environments[function]

    def invoke(self, function: str, event: object) -> Any:
        """Run a function on an event; raises FunctionError."""
        return self._workers.invoke(function, event)

    def modules(self, function: str) -> dict[str, str]:
        """Return the file of each module that a worker of the function has loaded."""
        return self._workers.modules(function)

    def calls(self) -> list[Call]:
        """Return each kind of call to the local AWS so far: who, which action, on which ARN, in which context."""
        return self._cloud.calls()

    def _start(self) -> None:
        refuse_unknown(self.assembly, CREATORS)
        shutil.rmtree(self._state, ignore_errors=True)
        self.logs_dir.mkdir(parents=True)
        self._log_to(self.logs_dir / "host.log")
        ports = self._wanted.claim()
        with self._step("create the resources of the template"):
            self._create(ports)
        with self._step("start functions and gateway"):
            self._start_functions(ports)
            self._warm(self.wires.triggers)
        with self._step("start PostgreSQL"):
            self._postgres.start()
        with self._step("start the cluster"):
            self._start_cluster()
        with self._step("run what the template triggers after a deployment"):
            for trigger in self.wires.triggers:
                self._workers.invoke(trigger, {})
        with self._step("connect queues and schedules"):
            self._connect()
            self._start_node_cache()

    def _log_to(self, path: Path) -> None:
        """Write what this process's part of the stack has to say to a file."""
        handler = logging.FileHandler(path)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
        logger = logging.getLogger("infra.local")
        logger.addHandler(handler)
        self._cleanup.callback(handler.close)
        self._cleanup.callback(logger.removeHandler, handler)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        self._say(name)
        try:
            yield
        except (AssemblyError, DeployError, FunctionError, PortTakenError, StartError):
            raise
        except Exception as error:
            raise StartError(f"could not {name}: {error!r} (logs: {self.logs_dir})") from error

    def _create(self, ports: Ports) -> None:
        """Deploy; PostgreSQL's files are made meanwhile."""
        paths = (ROOT, ROOT / "layers", ROOT / "container_runner")
        self._inherited = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        self._cloud = Cloud(self._state, self.logs_dir, self._inherited, port=ports.aws, region=self.region)
        self._cleanup.callback(self._cloud.stop)
        self._postgres = Postgres(self._state / "postgres", HOST, ports.postgres, self.logs_dir / "postgres.log")
        self._cleanup.callback(self._postgres.stop)
        self._cluster = JobsCluster(self._state, ports.cluster)
        machine = Machine(
            cluster_endpoint=self._cluster.endpoint,
            cluster_ca=self._cluster.authority,
            cluster_issuer=self._cluster.endpoint,
            postgres_host=HOST,
            postgres_port=ports.postgres,
            database=self._postgres.create,
        )
        self._deployment = Deployment(self.assembly, machine, self._cloud.deployer(), CREATORS)
        self._cloud.ready()
        self._deployment.run()
        self._cloud.register(self.wires.roles)
        self._cloud.route(self.wires)
        self._endpoints = Endpoints(
            self._cloud.endpoint, f"http://{HOST}:{ports.gateway}", f"{HOST}:{ports.cache}", self.wires.apis
        )
        self._people = People(
            self.wires.roles, self._cloud.identities, endpoint=self._cloud.endpoint, region=self.region
        )

    def _start_cluster(self) -> None:
        for cluster in self.wires.clusters.values():
            self._cleanup.callback(self._cluster.stop)
            self._cluster.start(
                cluster,
                images=images(self.assembly, self.wires, self._venvs),
                endpoints=self._endpoints,
                environment=self._inherited,
                logs=self.logs_dir,
                max_pods=self._max_pods,
                allow_weak_sandbox=self._allow_weak_sandbox,
                remembered=self._cache / "engine.json",
            )

    def _start_node_cache(self) -> None:
        for cluster in self.wires.clusters.values():
            daemon = NodeCache(cluster, self.assembly, folder=self._cluster.folder, state=self._state / "node-cache")
            self._cleanup.callback(daemon.stop)
            daemon.start(
                session=self._cloud.pod_session(cluster.identities[daemon.identity], daemon.identity[1]),
                endpoints=self._endpoints.cache_daemon(),
                venvs=self._venvs,
                environment=self._inherited,
                log=self.logs_dir / "cache.log",
            )

    def _start_functions(self, ports: Ports) -> None:
        self._sessions = {f.name: self._cloud.function_session(f) for f in self.wires.functions.values()}
        self._environments = {
            f.name: environment(f, self._sessions[f.name], self._endpoints) for f in self.wires.functions.values()
        }
        self._workers = Workers(
            self.wires.functions, lambda f: self._environments[f.name], self.logs_dir, self._cache / "pycache"
        )
        lookup = self._cloud.identities.by_access_key
        apis = list(self.wires.apis.values())
        gateway = Gateway(apis, lookup, self._workers.invoke, record=self._cloud.record)
        self._cleanup.enter_context(serving(gateway, port=ports.gateway, threads=_GATEWAY_THREADS))
        self._cleanup.callback(self._workers.stop)  # before the gateway ends, which waits for their answers

    def _connect(self) -> None:
        pollers = []
        for mapping in self.wires.mappings:
            threads = min(mapping.concurrency, self.wires.functions[mapping.function].workers)
            sqs = self._cloud.client("sqs", self._sessions[mapping.function])
            pollers.append(Poller(mapping, sqs, self._workers.invoke, threads=threads))
        scheduler = Scheduler(self.wires.schedules, self._workers.invoke)
        self._cleanup.callback(scheduler.stop)
        for poller in pollers:
            self._cleanup.callback(poller.stop)
            poller.start()
        scheduler.start()
        self._warm(self.wires.called())

    def _warm(self, functions: Sequence[str]) -> None:
        """Start workers ahead of their first event, in the background."""
        threading.Thread(target=self._workers.warm, args=(functions,), daemon=True).start()
