"""What Schemathesis loads in a run of `trading-conformance`: the stock hooks, a guard, a record.

The directory that the environment names holds the guard's plan and takes the record.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import schemathesis

from contract_tests.fuzzing import record
from contract_tests.fuzzing.harmless import Guard
from contract_tests.fuzzing.hooks import Case, exchange_of
from contract_tests.toolkit.expect import Failure
from contract_tests.wire.traffic import KEY_HEADERS, NO_STATUS, Exchange

_DIRECTORY: Final = Path(os.environ[record.DIRECTORY])
_guard = Guard.of(json.loads((_DIRECTORY / record.PLAN).read_text("utf-8")))


@schemathesis.hook("before_call")
def keep_harmless(context: schemathesis.HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Change what could harm the account, and leave the credentials to those that were given.

    A generated Authorization beside the X-API-Key of the run would pass for the request's own, and
    the server be blamed for answering it.
    """
    del context, kwargs
    for name in set(case.headers or ()):
        if name.lower() in KEY_HEADERS:
            del case.headers[name]
    operation, parameters = _operation(case), dict(case.path_parameters or {})
    if (body := _guard.body(operation, parameters, case.body)) != case.body:
        case.body = body
    if (changed := _guard.path(operation, parameters, case.body)) != parameters:
        case.path_parameters = changed


@schemathesis.hook("after_call")
def record_answer(
    context: schemathesis.HookContext, case: Case, response: schemathesis.Response
) -> None:
    """Write the exchange down, and let the guard learn from it."""
    del context
    exchange = exchange_of(response)
    _guard.saw(_operation(case), exchange)
    record.write(_DIRECTORY, exchange)


@schemathesis.hook("after_network_error")
def record_silence(context: schemathesis.HookContext, case: Case, request: Any) -> None:
    """Write down a request that got no answer."""
    del context, case
    body = request.body.encode() if isinstance(request.body, str) else request.body
    exchange = Exchange(
        method=request.method,
        url=request.url,
        operation=None,
        sent_headers={name.lower(): str(value) for name, value in request.headers.items()},
        sent_body=body if isinstance(body, bytes) else b"",
        status=NO_STATUS,
        headers={},
        body=b"",
        seconds=0.0,
        error="no answer",
    )
    record.write(_DIRECTORY, exchange)


@schemathesis.hook("filter_failure")
def record_judgement(
    context: schemathesis.HookContext,
    failure: Any,
    case: Case,
    response: schemathesis.Response,
) -> bool:
    """Write down what a check has against an answer, and let Schemathesis go on as if it held."""
    del context, case
    record.write(_DIRECTORY, exchange_of(response), judgement=_words(failure))
    return False


def _words(failure: Any) -> dict[str, str]:
    own = getattr(failure, "exception", None)
    if isinstance(own, Failure):
        name = failure.title.partition("`")[2].rstrip("`")  # Custom check failed: `name`
        said = {"what": own.what, "expected": str(own.expected), "actual": str(own.actual)}
        return {"check": name, **said}
    name = failure.checks[0] if failure.checks else failure.kind_title
    if "header" in failure.title.lower() and "response_headers_conformance" in failure.checks:
        name = "response_headers_conformance"  # one class for headers and bodies
    return {"check": name, "what": failure.title, "actual": failure.message}


def _operation(case: Case) -> str | None:
    found = case.operation.definition.raw.get("operationId")
    return found if isinstance(found, str) else None
