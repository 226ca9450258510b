"""Refusals of trips that no rule beside them raises."""

from collections.abc import Sequence

from chassis.errors import Conflict, Invalid, NotFound, TooManyRequests


class TripNotFound(NotFound):
    """No such trip, or not one that the caller may see."""

    type = "trip-not-found"
    title = "No such trip"


class NothingLoaded(Conflict):
    """There is no lorry receipt before the truck is loaded."""

    type = "nothing-loaded"
    title = "The truck isn't loaded yet"


class WrongCode(Invalid):
    """The digits are not the code's. The try counts."""

    type = "wrong-code"
    title = "Wrong code"


class TooManyWrongCodes(TooManyRequests):
    """Wrong too often: nothing is tried for a while."""

    type = "too-many-wrong-codes"
    title = "Too many wrong codes"


class NoCode(Conflict):
    """There is no code that could be tried: none was asked for, or it ran out."""

    type = "no-code"
    title = "There is no code at present"


class CodeNotDue(Conflict):
    """The trip isn't where this code is needed next."""

    type = "code-not-due"
    title = "The trip isn't where this code is needed"


class EwayBillExpired(Conflict):
    """Nobody drives on an e-way bill that is over."""

    type = "eway-bill-expired"
    title = "The e-way bill has expired"


class EwayBillFromTheFuture(Invalid):
    """It says that it was issued later than now."""

    type = "eway-bill-from-the-future"
    title = "The e-way bill is of a later time"


class EwayBillKnown(Conflict):
    """The number is that of the trip's bill, whose time can't be put off: it is extended."""

    type = "eway-bill-known"
    title = "The trip travels on this e-way bill already"


class NothingCarried(Conflict):
    """An e-way bill goes with goods that are on a truck."""

    type = "nothing-carried"
    title = "The trip carries nothing now"


class NoEwayBill(Conflict):
    """There is no bill that could be extended."""

    type = "no-eway-bill"
    title = "The trip has no e-way bill"


class RemainingImplausible(Invalid):
    """It is more than the way from the pickup to the drop can be."""

    type = "distance-implausible"
    title = "The distance makes no sense"


class TruckBusy(Conflict):
    """The truck has another trip at this time."""

    type = "truck-busy"
    title = "The truck has another trip"


class DriverBusy(Conflict):
    """The driver has another trip at this time."""

    type = "driver-busy"
    title = "The driver has another trip"


class NotFit(Conflict):
    """Truck or driver can't take this trip; `reasons` says why."""

    type = "not-fit"
    title = "Truck or driver can't take this trip"

    @classmethod
    def because(cls, reasons: Sequence[str]) -> "NotFit":
        return cls("; ".join(reasons) + ".", reasons=reasons)


class NotCancellable(Conflict):
    """Too late to call the trip off, at least for who asks."""

    type = "not-cancellable"
    title = "The trip can't be called off now"


class NotSwappable(Conflict):
    """Only what is loaded and on its way can be taken over."""

    type = "not-swappable"
    title = "The trip can't be taken over now"


class NothingSwapped(Invalid):
    """Truck and driver are those that the trip has."""

    type = "nothing-swapped"
    title = "Truck and driver are the same"
