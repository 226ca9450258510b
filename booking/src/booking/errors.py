"""Refusals of booking, each with its status and problem type."""

from chassis.errors import Conflict, Invalid, NotFound


class BookingNotFound(NotFound):
    """No such booking, or not one that the caller may see."""

    title = "No such booking"


class QuoteNotFound(NotFound):
    """No such quote, or another shipper's."""

    type = "quote-not-found"
    title = "No such quote"


class QuoteExpired(Conflict):
    """The price is no longer offered."""

    type = "quote-expired"
    title = "The quote has expired"


class QuoteUsed(Conflict):
    """A quote gives one booking."""

    type = "quote-used"
    title = "The quote was used already"


class IllegalTransition(Conflict):
    """The booking's status doesn't allow the change."""

    type = "illegal-transition"
    title = "The booking's status doesn't allow this"


class SamePlace(Invalid):
    """Pickup and drop are so near each other that there is nothing to drive."""

    type = "same-place"
    title = "Pickup and drop are the same place"


class MaterialNotPriced(Invalid):
    """The pricing configuration has no rate for the material."""

    type = "material-not-priced"
    title = "There is no price for this material"


class BadSchedule(Invalid):
    """The pickup window or the deadline can't be kept."""

    type = "bad-schedule"
    title = "The schedule can't be kept"


class NotAmendable(Conflict):
    """The booking's status doesn't allow that these change any more."""

    type = "not-amendable"
    title = "It is too late to change this"
