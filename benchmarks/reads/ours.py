"""Ours: `tapedeck.bars` on the bucket, as a researcher writes it."""

from __future__ import annotations

from collections.abc import Sequence

import tapedeck
from benchmarks.data import market
from benchmarks.reads.client import client, session
from benchmarks.reads.report import layout, report
from benchmarks.reads.where import SYMBOLS
from tapedeck.market.s3_reads import S3Reads

store = S3Reads(client(), layout(), session().get_credentials(), timeout_s=30, tries=5)


def read(fields: Sequence[str]) -> float:
    bars = tapedeck.bars(
        SYMBOLS, market.FIRST, market.LAST, dataset=market.DATASET.name, fields=fields, adjust="raw", data=store
    )
    return float(bars.close.sum())


report(read)
