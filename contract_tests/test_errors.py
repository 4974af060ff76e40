"""Every operation answers every failure that the spec documents for it, in the one shape."""

from __future__ import annotations

import pytest

from contract_tests.laboratory.fleet import SessionLab
from contract_tests.requirements.protocol import documenting
from contract_tests.spec import operations
from contract_tests.toolkit.api import Api
from contract_tests.toolkit.samples import Sample, send

FAULTS = {
    "unavailable": (503, "PROVIDER_UNAVAILABLE"),
    "rate_limited": (429, "RATE_LIMITED"),
    "provider_error": (502, "PROVIDER_ERROR"),
    "crash": (500, "INTERNAL_ERROR"),
    "unsupported": (501, "UNSUPPORTED_OPERATION"),
}
WITH_BODY = ("submit_order", "modify_order", "modify_position", "close_position")


@pytest.mark.parametrize("fault", FAULTS)
def test_failures_of_the_provider(fault: str, lab: SessionLab) -> None:
    """A provider that fails in whatever way makes every operation fail in its documented way."""
    failing, (status, code) = lab.faulty(fault), FAULTS[fault]
    documented = documenting(status)
    assert documented
    for sample in documented:
        send(failing.client, sample).refused(status, code)


def test_crash_tells_nothing_of_the_inside(lab: SessionLab) -> None:
    """A 500 has no words of the exception and no trace."""
    answer = lab.faulty("crash").get("/account")
    assert answer.refused(500, "INTERNAL_ERROR") == {}
    assert b"told to crash" not in answer.exchange.body
    assert b"Traceback" not in answer.exchange.body


@pytest.mark.parametrize("operation_id", operations())
def test_unknown_parameter(operation_id: str, api: Api) -> None:
    """Every operation refuses a query parameter that it does not have, probes included."""
    sample = Sample.of(operations()[operation_id])
    query = sample.query | {"colour": "red"}
    answer = api.send(sample.operation.method, sample.path, query, json=sample.json)
    answer.refused(400, "INVALID_REQUEST", field="colour")


@pytest.mark.parametrize("operation_id", WITH_BODY)
def test_bodies_that_nobody_reads(operation_id: str, api: Api) -> None:
    """Every operation with a body refuses one too large (413) and one that is not JSON (415)."""
    sample = Sample.of(operations()[operation_id])
    method = sample.operation.method
    large = b'{"quantity": "' + b"1" * (1 << 20) + b'"}'
    headers = {"Content-Type": "application/json"}
    answer = api.send(method, sample.path, content=large, headers=headers)
    answer.refused(413, "PAYLOAD_TOO_LARGE")
    answer = api.send(method, sample.path, content=b"{}", headers={"Content-Type": "text/plain"})
    answer.refused(415, "UNSUPPORTED_MEDIA_TYPE")
