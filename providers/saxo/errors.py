"""The only table from Saxo's error codes and statuses to what our ports raise.

Saxo answers an order that it does not take with 400, or with 200 and an `ErrorInfo` in place of the
order's id. What a code means for a command decides whether money is at stake: Refused says that
nothing was done, Gone that the order is not open, Unanswered that nobody knows. An error that the
venue does not explain, such as OtherError, is the last of these: the order is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from providers.errors import ProviderError
from providers.live.venue import Gone, Refused, Unanswered
from providers.models import RejectReason

GONE: Final = frozenset(
    """
    OrderNotFound TooLateToCancelOrder TooLateToChangeOrder
    """.split()
)
UNANSWERED: Final = frozenset(
    """
    AlreadyPendingCancelReplace CouldNotCompleteRequest InternalServerError OrderCommandPending
    OrderCommandTimeout OtherError PendingTradeRequests
    """.split()
)

_REASONS: Final[Mapping[RejectReason, str]] = {
    RejectReason.INSUFFICIENT_MARGIN: """
        ClientExposureLimitation ContactExposureLimitation MarginBorderline
        WouldComeTooCloseToAccountValueProtectionLimit WouldExceedAccountValueProtectionLimit
        WouldExceedEquityConcentrationLimit WouldExceedMargin WouldExceedMarginCeiling
        WouldExceedMaxCreditLine WouldExceedMaxCreditLineLimit WouldExceedTradingLine
        """,
    RejectReason.INSUFFICIENT_BALANCE: """
        BlocksExistForOwnedContracts InsufficentCash InsufficientCash NotOwned
        SellExceedsSettledExposure SellOrdersAlreadyExistForOwnedContracts
        """,
    RejectReason.INVALID_QUANTITY: """
        AmountBelowMinimumLotSize AmountCannotBeLessThanFilledAmount
        AmountChangeNotAllowedWhenAmountIsInAllocationUnitKey AmountDiffersFromAmountOnRelatedOrder
        AmountLowerThanAllocationKeyUnits AmountNotInLotSize
        CashAmountLessThanMinInitialInvestmentAmount IllegalAmount
        OrderSizeGreaterThanMaximumAllowed OrderValueToSmall OrderValueTooLarge TooSmallTrade
        WarningAmountLargeOrderSize
        """,
    RejectReason.INVALID_PRICE: """
        BarrierTooCloseToSpot BreakoutUpPriceCannotBeLessThanDownPrice ConditionOnWrongSideOfMarket
        ConditionPriceExceedsAggressiveTolerance ConditionTooFarFromMarket
        LimitOrderHigherStopOnSell LimitOrderLowerThenStopOnBuy LimitTooFarFromStop
        OnWrongSideOfMarket OrderPriceOutsideLimit PriceExceedsAggressiveTolerance PriceHasMoved
        PriceNotInTickSizeIncrements StopOrderLowerLimitOnSell TooCloseToEntryOrder TooCloseToMarket
        TooCloseToOcoRelatedOrderPrice TooFarFromEntryOrder TooFarFromMarket WrongSideOfRelatedOrder
        """,
    RejectReason.SYMBOL_NOT_TRADEABLE: """
        ExchangeNotSupported IllegalAssetType IllegalInstrumentId InstrumentDisabledForTrading
        InstrumentForcedExposureReductionViolation InstrumentHasExpired InstrumentNotAllowed
        InstrumentNotFoundOrNotAllowedForMarketTrades InstrumentNotSupportedForExtendedHours
        InstrumentNotTradableAsTheSelectedType InstrumentSuspended
        InstrumentTypeNotSupportedException InvalidCurrencyPair InvalidUic
        OpeningShortFXOptionPositionsNotAllowed OrderRequestAfterLastTradingDate
        PositionBuildupNotValidForInstrument ShortTradeDisabled ToOpenNotAllowedOnInstrument
        """,
    RejectReason.MARKET_CLOSED: """
        AmendmentsNotSupportedInBreakSession MarketClosed NotPrimarySession NotTradableAtPresent
        TradeSessionNotPrimary
        """,
    RejectReason.REDUCE_ONLY_VIOLATED: """
        ClientOnReduceForcedExposureReductionViolation ForcedExposureReductionViolation
        OnlySidedReductionAllowed
        """,
    RejectReason.POSITION_NOT_FOUND: """
        OrderRelatedPositionIsClosed OrderRelatedPositionMissMatch RelatedPositionNotFound
        """,
    RejectReason.UNKNOWN: """
        AccountIsTradeRestricted ActiveFollowerCannotCancelOrderManually
        ActiveFollowerCannotChangeOrderManually ActiveFollowerCannotDoManualTrade
        AlgoOrderErrorInParameterValue AlgoOrderIllegalAssetType AlgoOrderIllegalDurationType
        AlgoOrderMissingMandatoryParameter AlgoOrderTimeBeforeExchangeOpen
        AllocationKeyDoesNotMatchAccount AllocationKeyNotFound InSufficientOrderLegsSpecified
        AllocationKeyPercentDoesNotSumToOneHundred BrokerOption ClientCannotCancelMarketExpiryOrder
        ClientCannotCancelStopOutOrder ClientCannotChangeAllocatedOrder
        ClientNotEnabledForExtendedTradingHours ClmDataFeedClientExceptionCommissionRuleMissing
        CloseAllPositionsAlreadyBeingClosed ConditionDurationNotSupported
        CrossCurrencyOrderOnMarginLendingAccountNotAllowed DealCaptureAllocationKeyNotCorrect
        DealCaptureInformationNotCorrect DirectAccessNotAllowed DurationNotSupported
        ExchangeRateNotAvailable ExpirationDateInPast ExpirationDateRequired
        ExtendedHoursTradingCannotBeChanged ForceOpenNotAllowed ForwardDateInPast
        ForwardDateRequired FxSwapLegsValueDateRequired GtdOrderCannotBeLaterThanExpiry
        IllegalAccount IllegalDate IllegalOrderTypeChange IllegalRequest IllegalStrike
        IllegalWatchlistId IncorrectValuationTypeAndNettingMethod InsufficientTradeLevelException
        InvalidAllocationKeyUsed InvalidExpiryTimeOnExchange InvalidFxSwapLegsValueDate
        InvalidMessageId InvalidModelState InvalidOptionRootId InvalidPriceRequest
        InvalidRefreshRate InvalidRequest InvalidTimeInExpiationDateTime InvalidTraderId
        InvalidValueDate MissingTimeInExpirationDateTime NoChatMessageEntered NoDataAccess
        NoValidQuote OnlyLimitOrderAllowedForExtendedHours OptionExerciseAfterCutoff
        OptionExerciseNotAllowedDueExDateOfUpcomingCorporateActionOnInstrument
        OptionsChainNotSupportedForAssetType OrderCannotBeCancelledAtThisTime
        OrderCannotBeChangedAtThisTime OrderIsRestrictedForAccountManagementType OrderNotPlaced
        OrderNotSupportedForAccountType OrderRejectedByBroker OrderTypeNotSupported PriceNotFound
        PriceRequestRequiresExpiryDate PriceRequestRequiresPutCall QuoteHasTimedOut
        RelatedOrClosingOrderNotAllowedForIntradayNettingClients RelatedOrderWasRejected
        RepeatTradeOnAutoQuote RequestForQuoteFailed RequestForQuoteNotAllowed
        RequestMarginImpactOnNextPriceFailed RequoteRequired TooManyStrikesRequested
        TraderIdIsRequired TradingDisabled UicsInListNotUnique UnexpectedTimeInExpirationDateTime
        Unknown
        """,
}

REASONS: Final[Mapping[str, RejectReason]] = {
    code: reason for reason, codes in _REASONS.items() for code in codes.split()
}
"""Why a command is refused, by the venue's code."""

KEY_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def of_command(status: int, body: Any) -> Exception | None:
    """What became of a command by the answer to it; None if it was done.

    409 is what repeats within 15 seconds get; what the first of them did is to be asked for.
    """
    if status in KEY_REFUSED:
        return key_refused(status)
    if status == HTTPStatus.CONFLICT:
        return Unanswered("Saxo has had this request already")
    found = error_in(body)
    if found is not None:
        return of_code(*found)
    if status >= HTTPStatus.BAD_REQUEST:
        return ProviderError(f"Saxo answered {status} without a code")
    return None


def of_code(code: str, message: str) -> Exception:
    """What a code means for a command."""
    if code in GONE:
        return Gone(message)
    if code in UNANSWERED:
        return Unanswered(f"Saxo answered {code}: {message}")
    if code in REASONS:
        return Refused(REASONS[code], message)
    return ProviderError(f"Saxo answered an unknown code {code}: {message}")


def of_read(status: int, body: Any) -> ProviderError:
    """What a read that did not succeed means: we asked for what the venue does not know."""
    if status in KEY_REFUSED:
        return key_refused(status)
    code, message = error_in(body) or ("no code", "")
    return ProviderError(f"Saxo answered {status} with {code}: {message}")


def key_refused(status: int) -> ProviderError:
    return ProviderError(f"Saxo does not accept the token: it answered {status}")


def error_in(body: Any) -> tuple[str, str] | None:
    """Code and message of a body: at its top, in ErrorInfo, or in that of the only order."""
    if not isinstance(body, dict):
        return None
    orders = body.get("Orders") or [{}]
    for place in (body, body.get("ErrorInfo"), orders[0].get("ErrorInfo")):
        if isinstance(place, dict) and place.get("ErrorCode"):
            return str(place["ErrorCode"]), str(place.get("Message") or place["ErrorCode"])
    return None
