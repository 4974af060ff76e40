"""Entities as JSON documents, exactly as they go over the wire, and moments as integers."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from providers.engine.state import Event, Ledger, Notice
from providers.errors import ProviderUnavailable

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def encode(entity: BaseModel | Ledger | Notice) -> str:
    """The wire document: decimals as plain strings, moments in UTC with Z."""
    return orjson.dumps(entity, default=_plain, option=orjson.OPT_UTC_Z).decode()


def decode(model: type[M], document: str) -> M:
    """The entity of a stored document.

    Raises ProviderUnavailable if it is not one: the database is damaged.
    """
    try:
        return model.model_validate_json(document)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        log.error("a stored %s cannot be read: %s", model.__name__, faults)  # noqa: TRY400
        raise ProviderUnavailable("The stored data cannot be read") from error


def document_of(event: Event) -> str:
    """What the event shows: its entity, or the fuller view it brought along."""
    return encode(event.shown or event.entity)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, BaseModel):
        return value.__dict__
    raise TypeError(f"{type(value).__name__} has no place in a document")
