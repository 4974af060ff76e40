"""Everything a provider may refuse or fail with.

::

    TradingError
    ├── InvalidRequest               the request is malformed
    │   └── InvalidValue             one field is wrong; names it
    ├── Unauthorized                 no key, or not one of ours
    ├── NotFound                     what the path names does not exist
    │   ├── OrderNotFound
    │   ├── PositionNotFound
    │   └── SymbolNotFound
    ├── Conflict                     it exists, its state forbids this
    │   ├── OrderNotModifiable
    │   └── DuplicateClientOrderId
    ├── OrderRejected                well-formed, refused by account, market or instrument
    ├── RateLimited                  too many requests; carries retry_after
    ├── UnsupportedOperation         the provider lacks the feature
    ├── ProviderError                the venue answered nonsense
    └── ProviderUnavailable          the venue cannot be reached; carries retry_after
        └── ShuttingDown             this server is draining

Each class has its wire `code`; `handlers/errors.py` alone knows the HTTP status.
Meanings follow the seed's status table: 400 judged from the request and the spec alone, 404 for
the path, 409 for state, 422 for account and market.
"""

from __future__ import annotations

from typing import Any, ClassVar

from providers.models import ErrorCode, OrderStatus, RejectReason


class TradingError(Exception):
    """Root of the tree: a machine-readable code, a sentence and structured details."""

    code: ClassVar[ErrorCode]

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidRequest(TradingError):
    code = ErrorCode.INVALID_REQUEST


class InvalidValue(InvalidRequest):
    """A field, parameter or path segment whose value the spec forbids."""

    code = ErrorCode.INVALID_VALUE

    def __init__(self, field: str, provided: Any, reason: str) -> None:
        super().__init__(
            f"Invalid value for {field}: {reason}",
            {"field": field, "provided": provided, "reason": reason},
        )


class Unauthorized(TradingError):
    code = ErrorCode.UNAUTHORIZED


class NotFound(TradingError):
    code = ErrorCode.NOT_FOUND
    resource: ClassVar[str] = "resource"

    def __init__(self, id: str) -> None:
        super().__init__(
            f"{self.resource.capitalize()} not found: {id}", {"resource": self.resource, "id": id}
        )


class OrderNotFound(NotFound):
    code = ErrorCode.ORDER_NOT_FOUND
    resource = "order"


class PositionNotFound(NotFound):
    code = ErrorCode.POSITION_NOT_FOUND
    resource = "position"


class SymbolNotFound(NotFound):
    code = ErrorCode.SYMBOL_NOT_FOUND
    resource = "symbol"


class Conflict(TradingError):
    """Base of the 409s."""


class OrderNotModifiable(Conflict):
    code = ErrorCode.ORDER_NOT_MODIFIABLE

    def __init__(self, order_id: str, status: OrderStatus, why: str | None = None) -> None:
        super().__init__(
            f"Order {order_id} cannot be modified: {why or f'it is {status.value}'}",
            {"resource": "order", "id": order_id, "status": status.value},
        )


class DuplicateClientOrderId(Conflict):
    code = ErrorCode.DUPLICATE_CLIENT_ORDER_ID

    def __init__(self, client_order_id: str, order_id: str) -> None:
        super().__init__(
            f"client_order_id {client_order_id} already names another order",
            {"client_order_id": client_order_id, "order_id": order_id},
        )


class OrderRejected(TradingError):
    """Refused given account, market or instrument; `order_id` names the order kept in history."""

    code = ErrorCode.ORDER_REJECTED

    def __init__(self, reject_reason: RejectReason, message: str, order_id: str | None) -> None:
        super().__init__(message, {"reject_reason": reject_reason.value, "order_id": order_id})
        self.reject_reason = reject_reason
        self.order_id = order_id


class RateLimited(TradingError):
    code = ErrorCode.RATE_LIMITED

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, {"retry_after": retry_after})
        self.retry_after = retry_after


class UnsupportedOperation(TradingError):
    """The provider lacks the feature; its capabilities said so."""

    code = ErrorCode.UNSUPPORTED_OPERATION

    def __init__(self, feature: str) -> None:
        super().__init__(f"This provider does not support {feature}", {"feature": feature})


class ProviderError(TradingError):
    code = ErrorCode.PROVIDER_ERROR


class ProviderUnavailable(TradingError):
    """`retry_after` is in whole seconds."""

    code = ErrorCode.PROVIDER_UNAVAILABLE

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ShuttingDown(ProviderUnavailable):
    code = ErrorCode.SHUTTING_DOWN
