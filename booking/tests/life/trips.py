"""What happens to trips: fleets take loads, trucks go, break down, and are called off."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from sqlalchemy.ext.asyncio import AsyncSession

from booking.assignment.plan import planned
from booking.assignment.schemas import Acceptance
from booking.assignment.service import accept_load
from booking.fleets.service import Caller
from booking.trips import handover, service
from booking.trips.access import Road
from booking.trips.calling_off import call_off_trip
from booking.trips.codes import Purpose
from booking.trips.loss import report_loss
from booking.trips.no_shows import NO_SHOW, call_off_no_shows
from booking.trips.schemas import DeliverRequest, LoadRequest, LossReport, SwapRequest
from booking.trips.steps import MOVES, Step
from booking.trips.swap import swap_truck
from booking.trips.weights import kilograms, tons
from chassis.access import Scope

from ..loads import SOON, Pair, acceptance
from ..trips import LOADED, PROOF
from .base import TRUCKS
from .bookings import RULES, BookingRules, granted
from .model import TRIP_WAY, TripModel

ROAD = Road(rules=RULES, code_key=b"k" * 32)
KM_PER_DAY = RULES.current().rules.km_per_day
TARE_KG = LOADED["tare_kg"]
# Where a code for this end of the trip is of use.
DUE = {Purpose.PICKUP: TRIP_WAY[:2], Purpose.DROP: TRIP_WAY[3:6]}
Steps = Callable[[AsyncSession], Awaitable[object]]

members = st.integers(0, TRUCKS - 1)
# One fills a truck, two don't, and one is more than it may carry.
loads = st.sampled_from([Decimal(25), Decimal(20), Decimal(10), Decimal(26)])


class Life(BookingRules):
    """One booking and its trips, to which everything happens."""

    @rule(truck=members, driver=members, load_mt=loads)
    def a_fleet_takes_a_load(self, truck: int, driver: int, load_mt: Decimal) -> None:
        model = self.model
        possible = (
            model.status in ("confirmed", "assigned", "in_progress")
            and load_mt <= min(model.open_mt, Decimal("25.5"))
            and model.free(truck, driver)
            and self._suits()
        )
        pair = Pair(truck=self.fleet[truck].truck, driver=self.fleet[driver].driver)
        wanted = Acceptance.model_validate(acceptance(pair, float(load_mt)))
        done = self.does(
            lambda session: accept_load(
                session,
                caller=self.owner,
                booking_id=self.booking.id,
                wanted=wanted,
                km_per_day=KM_PER_DAY,
            )
        )
        assert bool(done) == possible
        if done is not None:
            trip, _ = done
            model.trips.append(TripModel(id=trip.id, load_mt=load_mt, truck=truck, driver=driver))
            model.audited += 1
            if model.status == "confirmed":
                model.goes("assigned")

    @precondition(lambda self: self.model.trips)
    @rule(data=st.data(), step=st.sampled_from(Step), stale=st.booleans(), wrong=st.booleans())
    def a_truck_goes(self, data: st.DataObject, step: Step, stale: bool, wrong: bool) -> None:
        """Any step: in order or not, with an old version, with a wrong code or wrong weights."""
        trip = data.draw(st.sampled_from(self.model.trips))
        self._go(trip, step, stale=stale, wrong=wrong)

    @precondition(lambda self: any(trip.status in TRIP_WAY[:7] for trip in self.model.trips))
    @rule(data=st.data(), steps=st.integers(1, 4))
    def a_truck_goes_on(self, data: st.DataObject, steps: int) -> None:
        """The steps that are next, so that lives come to their end too."""
        going = [trip for trip in self.model.trips if trip.status in TRIP_WAY[:7]]
        trip = data.draw(st.sampled_from(going))
        for step in Step:
            if MOVES[step][0] == trip.status and steps > 0:
                self._go(trip, step, stale=False, wrong=False)
                steps -= 1

    @precondition(lambda self: self.model.trips)
    @rule(data=st.data(), by_driver=st.booleans(), stale=st.booleans())
    def a_trip_is_called_off(self, data: st.DataObject, by_driver: bool, stale: bool) -> None:
        trip = data.draw(st.sampled_from(self.model.trips))
        until = 1 if by_driver else 3
        possible = trip.status in TRIP_WAY[:until] and not stale
        done = self.does(
            lambda session: call_off_trip(
                session,
                caller=self._driver(trip) if by_driver else self.owner,
                trip_id=trip.id,
                seen=self.seen(trip.version, stale=stale),
                reason=None,
            )
        )
        assert bool(done) == possible
        if possible:
            trip.goes("cancelled")
            self.model.audited += 1
            self.model.follows()

    @precondition(lambda self: self.model.trips)
    @rule(late=st.booleans())
    def nobody_comes(self, late: bool) -> None:
        """The time for trucks to be there is over, or it isn't yet."""
        patience = NO_SHOW - timedelta(days=200) if late else NO_SHOW
        self.run(call_off_no_shows(self.database, patience=patience))
        for trip in self.model.trips:
            if late and trip.status in TRIP_WAY[:2]:
                trip.goes("cancelled")
                self.model.audited += 1
                self.model.follows()

    @precondition(lambda self: self.model.trips)
    @rule(data=st.data(), stale=st.booleans())
    def a_load_is_lost(self, data: st.DataObject, stale: bool) -> None:
        trip = data.draw(st.sampled_from(self.model.trips))
        possible = trip.status in TRIP_WAY[3:6] and not stale
        done = self.does(
            lambda session: report_loss(
                session,
                caller=self.owner,
                trip_id=trip.id,
                seen=self.seen(trip.version, stale=stale),
                report=LossReport(reason="Burnt", report_sha256=PROOF),
                road=ROAD,
            )
        )
        assert bool(done) == possible
        if possible:
            trip.status = "delivered"
            trip.notes("lost", "lost")
            trip.told.append((trip.version, "shortage_claimed"))
            self.model.audited += 1
            self.model.follows()

    @precondition(lambda self: self.model.trips)
    @rule(data=st.data(), truck=members, driver=members)
    def another_carries_on(self, data: st.DataObject, truck: int, driver: int) -> None:
        trip = data.draw(st.sampled_from(self.model.trips))
        possible = (
            trip.status in ("loaded", "in_transit")
            and (truck, driver) != (trip.truck, trip.driver)
            and self.model.free(truck, driver, but=trip)
        )
        request = SwapRequest(
            truck_id=self.fleet[truck].truck.id,
            driver_id=self.fleet[driver].driver.id,
            reason="Axle broken",
        )
        done = self.does(
            lambda session: swap_truck(
                session,
                caller=self.owner,
                trip_id=trip.id,
                seen=None,
                request=request,
                road=ROAD,
            )
        )
        assert bool(done) == possible
        if possible:
            trip.truck, trip.driver = truck, driver
            trip.notes("truck_swapped", "truck_swapped")
            self.model.audited += 1

    def _suits(self) -> bool:
        """Whether the booking's schedule has room for a truck then."""
        window = planned(SOON, distance_m=self.booking.distance_m, km_per_day=KM_PER_DAY)
        arranged = self.model.arranged
        start, end, deadline = (
            arranged.get(name) for name in ("pickup_from", "pickup_until", "deliver_by")
        )
        return (
            (start is None or window.begin >= start)
            and (end is None or window.begin <= end)
            and (deadline is None or window.until <= deadline)
        )

    @property
    def owner(self) -> Caller:
        tenant_id = self.fleet[0].truck.tenant_id
        return Caller(grant=granted(tenant_id, "owner", Scope.TENANT), source_ip=None)

    def _driver(self, trip: TripModel) -> Caller:
        driver = self.fleet[trip.driver].driver
        subject = str(driver.subject)
        return Caller(grant=granted(driver.tenant_id, subject, Scope.ASSIGNED), source_ip=None)

    def _go(self, trip: TripModel, step: Step, *, stale: bool, wrong: bool) -> None:
        begins, leads = MOVES[step]
        # Only what is weighed or has a code can be wrong.
        judged = step in (Step.ARRIVE_AT_PICKUP, Step.LOAD, Step.DELIVER)
        in_order = trip.status == begins and not stale
        possible = in_order and not (judged and wrong)
        use = self._use(trip, step, stale=stale, wrong=wrong)
        if in_order and wrong and step in (Step.ARRIVE_AT_PICKUP, Step.DELIVER):
            # The try is committed, and so is its entry in the audit.
            self.model.audited += 1
        assert bool(self.does(use)) == possible
        if not possible:
            return
        self.model.audited += 1
        trip.goes(leads)
        if step is Step.LOAD:
            trip.left_mt = trip.load_mt - tons(self._loaded_kg(trip))
        if step is Step.DELIVER:
            trip.net_kg = self._delivered_kg(trip)
            if trip.net_kg < self._loaded_kg(trip):
                trip.told.append((trip.version, "shortage_claimed"))
        self.model.follows()

    def _use(self, trip: TripModel, step: Step, *, stale: bool, wrong: bool) -> Steps:
        caller = self._driver(trip)
        seen = self.seen(trip.version, stale=stale)
        about: dict[str, Any] = {"caller": caller, "trip_id": trip.id, "seen": seen}
        match step:
            case Step.ACCEPT:
                return lambda session: service.accept(session, **about)
            case Step.ARRIVE_AT_PICKUP:
                digits = self._code(trip, Purpose.PICKUP, wrong=wrong)
                return lambda session: handover.arrive_at_pickup(
                    session, **about, digits=digits, road=ROAD
                )
            case Step.LOAD:
                # Too much for the truck, or only for what the trip is for.
                too_much = 90_000 if trip.load_mt == 25 else 25_500
                load_kg = too_much if wrong else self._loaded_kg(trip)
                asked = LoadRequest.model_validate({**LOADED, "gross_kg": TARE_KG + load_kg})
                return lambda session: handover.load(session, **about, request=asked, road=ROAD)
            case Step.DEPART:
                return lambda session: service.depart(session, **about, road=ROAD)
            case Step.ARRIVE_AT_DROP:
                return lambda session: service.arrive_at_drop(session, **about)
            case Step.DELIVER:
                brought = DeliverRequest(
                    tare_kg=TARE_KG,
                    gross_kg=TARE_KG + self._delivered_kg(trip),
                    code=self._code(trip, Purpose.DROP, wrong=wrong),
                    proof_sha256=PROOF,
                )
                return lambda session: handover.deliver(
                    session, **about, request=brought, road=ROAD
                )
            case Step.CLOSE:
                return lambda session: handover.close(session, **about)

    def _loaded_kg(self, trip: TripModel) -> int:
        """Of 20 t a fifth isn't there to be loaded."""
        return kilograms(trip.load_mt if trip.load_mt != 20 else Decimal(16))

    def _delivered_kg(self, trip: TripModel) -> int:
        """Of small loads a tenth is missing."""
        loaded_kg = self._loaded_kg(trip)
        return loaded_kg if trip.load_mt == 25 else loaded_kg * 9 // 10

    def _code(self, trip: TripModel, purpose: Purpose, *, wrong: bool) -> str:
        """A fresh code from the shipper, or digits that are none."""
        shipper = granted(self.booking.tenant_id, self.booking.shipper_id, Scope.TENANT)
        issued = self.does(
            lambda session: handover.issue_code(
                session,
                caller=Caller(grant=shipper, source_ip=None),
                trip_id=trip.id,
                purpose=purpose,
                road=ROAD,
            )
        )
        assert bool(issued) == (trip.status in DUE[purpose])
        if issued is None:
            return "000000"
        self.model.audited += 1
        digits, _ = issued
        return f"{(int(digits) + 1) % 1_000_000:06d}" if wrong else digits
