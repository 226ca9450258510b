"""Errors of fleets."""

from chassis.errors import Conflict, NotFound


class TruckNotFound(NotFound):
    """No such truck, or another fleet's."""

    title = "No such truck"


class DriverNotFound(NotFound):
    """No such driver, or another fleet's."""

    title = "No such driver"


class AbsenceNotFound(NotFound):
    """No such absence of this truck or driver."""

    title = "No such absence"


class TruckKnown(Conflict):
    """A truck with this registration number takes trips already, in whatever fleet."""

    type = "truck-known"
    title = "A truck with this registration number is registered already"


class DriverKnown(Conflict):
    """A driver with this licence or user takes trips already, in whatever fleet."""

    type = "driver-known"
    title = "A driver with this licence or user is registered already"


class Retired(Conflict):
    """What has left the fleet doesn't change any more."""

    type = "retired"
    title = "It has left the fleet"


class OnTrip(Conflict):
    """It has a trip that hasn't ended: that one is ended or called off first."""

    type = "on-trip"
    title = "It has a trip that hasn't ended"


class AbsencesOverlap(Conflict):
    """Another absence covers a part of the time."""

    type = "absences-overlap"
    title = "There is an absence at that time already"
