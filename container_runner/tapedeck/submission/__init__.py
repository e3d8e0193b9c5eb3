"""Looks at a submission without running it. Needs the standard library only: it runs inside the control plane too."""

from __future__ import annotations

from tapedeck.submission.errors import CODES, SubmissionError
from tapedeck.submission.inspection import Inspection, Parameter, Scalar
from tapedeck.submission.isolation import MAX_BYTES, Limits, inspect_source, list_source
from tapedeck.submission.parameters import resolve_parameters
from tapedeck.suggest import closest, did_you_mean

__all__ = [
    "CODES",
    "MAX_BYTES",
    "Inspection",
    "Limits",
    "Parameter",
    "Scalar",
    "SubmissionError",
    "closest",
    "did_you_mean",
    "inspect_source",
    "list_source",
    "resolve_parameters",
]
