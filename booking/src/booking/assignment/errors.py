"""Errors of assignment."""

from chassis.errors import Conflict, NotFound


class LoadNotFound(NotFound):
    """No such booking on the board: none at all, or one that isn't open."""

    title = "No such load on the board"


class LoadCovered(Conflict):
    """Less of the load is open than is asked for; `open_mt` says how much."""

    type = "load-covered"
    title = "Less of the load is open"
