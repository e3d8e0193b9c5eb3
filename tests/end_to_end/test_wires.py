"""The wires stand in the CDK app once: what is added there works locally, and nothing is taken for granted."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local.deploy import DeployError
from infra.local.ports import HOST, Ports
from infra.local.stack import ROOT, Stack

# A copy of the app, and one queue and one function more.
COPY = """
import sys
from pathlib import Path

import app as original
import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs

from infra import platform, settings

code, out = sys.argv[1:]
values = original.context()
app = cdk.App(outdir=out, context=values)
control = platform.build(app, settings.load(values)).control
asked, answered = (sqs.Queue(control, name, queue_name=name, enforce_ssl=True) for name in ("asked", "answered"))
function = lambda_.Function(
    control,
    "Echo",
    runtime=lambda_.Runtime.PYTHON_3_11,
    handler="echo.handler",
    code=lambda_.Code.from_asset(code),
    environment={"ANSWERS": answered.queue_url},
    layers=[lambda_.LayerVersion.from_layer_version_arn(control, "EchoLayer", sys.argv[3])] if sys.argv[3:] else None,
)
function.add_event_source(sources.SqsEventSource(asked, batch_size=1, report_batch_item_failures=True))
answered.grant_send_messages(function)
app.synth()
"""
# A handler with the standard library only: whether it may send is the front door's to decide.
ECHO = """
import os
from pathlib import Path

def handler(event, context):
    for record in event["Records"]:
        Path(record["body"]).write_text(os.environ["ANSWERS"])
"""
