"""Why a grant is refused. The sentences never say more than the caller may know."""

from typing import TypeVar

from chassis.errors import Conflict, DomainError, Forbidden, TooManyRequests, Unauthorized

T = TypeVar("T")


class InvalidCredentials(Unauthorized):
    """Username or password are wrong; which of them stays our secret."""

    type = "invalid-credentials"
    title = "Wrong username or password"


class TooManyAttempts(TooManyRequests):
    """Too many failures of this account or from this source."""

    type = "too-many-attempts"
    title = "Too many failed attempts"


class AccountSuspended(Forbidden):
    """The right password of a user who, or whose tenant, is suspended."""

    type = "account-suspended"
    title = "This account is suspended"


class AddressNotAllowed(Forbidden):
    """The role may only be used from listed networks."""

    type = "address-not-allowed"
    title = "Not allowed from this address"


class DeviceNotBound(Forbidden):
    """The role is bound to one device, and this isn't it."""

    type = "device-not-bound"
    title = "Not the device of this account"


class InvalidChallenge(Unauthorized):
    """No such challenge, or one that is used up, used or over."""

    type = "invalid-challenge"
    title = "The challenge is no longer valid; log in again"


class InvalidCode(Unauthorized):
    """Not the present code, or one that was used before."""

    type = "invalid-code"
    title = "Wrong code"


class EnrolmentRequired(Conflict):
    """The challenge wants a second factor set up, not shown."""

    type = "enrolment-required"
    title = "Set up a second factor first"


class NothingToConfirm(Conflict):
    """No enrolment was begun."""

    type = "no-enrolment"
    title = "No enrolment was begun"


class InvalidRefreshToken(Unauthorized):
    """Unknown, over, or of a session that has ended."""

    type = "invalid-refresh-token"
    title = "The refresh token is not valid; log in again"


class RefreshTokenReused(Unauthorized):
    """Somebody else holds this token, so the whole session has ended."""

    type = "refresh-token-reused"
    title = "The refresh token was used before; log in again"


class SecondFactorMissing(Unauthorized):
    """The roles have come to demand a second factor since this login."""

    type = "second-factor-missing"
    title = "Log in again with a second factor"


class SessionEnded(Unauthorized):
    """The token is good, but its session has ended."""

    type = "session-ended"
    title = "The session has ended; log in again"


class PersonsOnly(Forbidden):
    """A service called something that only a person does."""

    type = "persons-only"
    title = "Only for persons"


def unless_refused(outcome: T | DomainError) -> T:
    """The outcome of a finished transaction, raised now if it is a refusal.

    Raising inside would have taken back what must survive it: counters, tries, ended sessions.
    """
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome
