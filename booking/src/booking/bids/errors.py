"""Refusals of bids."""

from chassis.errors import Conflict, Invalid, NotFound


class BidNotFound(NotFound):
    """No such bid, or not one that the caller may see."""

    type = "bid-not-found"
    title = "No such bid"


class BidOpen(Conflict):
    """The truck has an open bid on this booking: withdraw that first."""

    type = "bid-open"
    title = "The truck has an open bid on this booking"


class BidEnded(Conflict):
    """The bid was answered, withdrawn, or has lapsed before; `status_now` says which."""

    type = "bid-ended"
    title = "The bid isn't open any more"


class BidGone(Conflict):
    """The bid could not be taken, and lapsed by that: `reason` says why, and so does the bid."""

    type = "bid-gone"
    title = "The bid can't be taken any more"


class AboveShare(Conflict):
    """The bid asks more than its part of the booking's price; only operators may agree to that."""

    type = "bid-above-share"
    title = "The bid asks more than its part of the booking's price"


class BadValidity(Invalid):
    """A bid holds from now on, and until its truck is at the pickup at most."""

    type = "bad-validity"
    title = "The bid can't be valid until then"
