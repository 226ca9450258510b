"""The story: one booking of 75 tons, three trucks, and every step until the last is closed."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from booking.trips.evidence import verify
from contracts.positions import TruckPositionSampled
from contracts.pricing import DRY_RUN_PATH
from ops.demo.facts import TRUCKS, Facts, TruckFacts, rupees, tons
from ops.demo.fleet import register_trucks
from ops.demo.people import People
from ops.demo.stages import Stage
from ops.demo.standins import StandIns
from ops.errors import OpsError
from ops.services import ENVIRONMENT

PICKUP = {"lat": 23.7957, "lng": 86.4304, "address": "Jharia coalfield, siding 7, Dhanbad"}
DROP = {"lat": 22.4780, "lng": 88.1780, "address": "Budge Budge power station, Kolkata"}
TRANSPORT: Mapping[str, Any] = {
    "pickup_location": PICKUP,
    "drop_location": DROP,
    "material_type": "coal",
    "quantity_mt": 75,
}
LOAD_MT = 25
TARE_KG = 9_400
# What each weighbridge shows. The second truck loses 360 kg, more than half a percent of its load.
LOADED_KG = (25_000, 24_980, 24_960)
DELIVERED_KG = (24_960, 24_620, 24_930)
SHIPPER, FLEET, OPERATOR = "shipper", "fleet", "operator"
ANSWER_SECONDS = 20.0
POLL_SECONDS = 0.1
# Where along the way positions are sampled.
WAY = (0.25, 0.5, 0.75)
DEARER = Decimal("1.05")


@dataclass(frozen=True, kw_only=True)
class Story:
    """`folder` takes the evidence. Without `stand_ins` others answer for payment, or nobody."""

    people: People
    stage: Stage
    facts: Facts
    folder: Path
    stand_ins: StandIns | None

    def run(self) -> None:
        """All of it; OpsError at the first refusal."""
        self._book()
        self._confirm()
        self._accept()
        self._load()
        self._drive()
        self._deliver()
        self._prove()
        if self.stand_ins is not None:
            self._try_prices()

    def _book(self) -> None:
        quote = self.people.post(SHIPPER, "/v1/quotes", TRANSPORT)
        self.facts.km = round(quote["distance_m"] / 1000)
        price = rupees(quote["price"]["amount"])
        self.stage.tell(f"Quoted: 75 t of coal over {self.facts.km} km cost {price}")
        booking = self.people.post(SHIPPER, "/v1/booking", {"quote_id": quote["quote_id"]})
        self.facts.booking_id = booking["booking_id"]
        self.facts.paise = booking["price"]["amount"]
        self.facts.about = f"75 t coal, Dhanbad to Kolkata, {self.facts.km} km"
        self._look()
        self.stage.tell(f"Booked at that price: {self.facts.booking_id} is {self.facts.status}")

    def _confirm(self) -> None:
        if self.stand_ins is not None:
            booking = self.people.get(SHIPPER, self._booking)
            self.stand_ins.reserve(
                booking_id=booking["booking_id"],
                tenant_id=booking["tenant_id"],
                paise=self.facts.paise,
            )
            self.stage.tell("payment.reserved is on the bus, sent by the demo in payment's place")
        deadline = time.monotonic() + ANSWER_SECONDS
        while self._look() == "requested":
            if time.monotonic() > deadline:
                raise OpsError(
                    f"Booking {self.facts.booking_id} still waits for payment's answer after "
                    f"{ANSWER_SECONDS:g} s. On this machine the demo gives it: ubertruck demo "
                    "without --url."
                )
            time.sleep(POLL_SECONDS)
        self.stage.tell(f"Payment answered: the booking is {self.facts.status}")

    def _accept(self) -> None:
        self.facts.trucks = register_trucks(self.people, FLEET, count=TRUCKS, load_mt=LOAD_MT)
        plates = ", ".join(truck.registration for truck in self.facts.trucks)
        self.stage.tell(f"The fleet has {plates}, with papers and drivers")
        board = self.people.get(FLEET, "/v1/board", limit="100")["items"]
        load = next((one for one in board if one["booking_id"] == self.facts.booking_id), None)
        if load is None:
            raise OpsError(f"Booking {self.facts.booking_id} isn't on the board.")
        self.stage.tell(f"On the board: {load['open_mt']:g} t of coal are open")
        at = (datetime.now(UTC) + timedelta(hours=6)).isoformat()
        for truck in self.facts.trucks:
            body = {
                "truck_id": truck.truck_id,
                "driver_id": truck.driver_id,
                "load_mt": truck.load_mt,
                "pickup_at": at,
            }
            answer = self.people.post(FLEET, f"/v1/board/{self.facts.booking_id}/accept", body)
            truck.trip_id = answer["assigned"][0]["trip_id"]
            truck.status = "assigned"
            self._look()
            self.stage.tell(
                f"{truck.registration} takes {truck.load_mt:g} t, {answer['open_mt']:g} t stay "
                f"open; the booking is {self.facts.status}"
            )
            self._step(truck, "accept")

    def _load(self) -> None:
        for number, truck in enumerate(self.facts.trucks):
            code = self._code(truck, "pickup")
            self._step(truck, "arrive-at-pickup", {"code": code})
            self.stage.tell(f"{truck.registration} is at the pickup, by the shipper's code {code}")
            truck.loaded_kg = LOADED_KG[number]
            trip = self._step(truck, "load", _papers(number, truck))
            truck.lorry_receipt = trip["lorry_receipt_number"]
            truck.eway_bill = trip["eway_bill"]["number"]
            expires = datetime.fromisoformat(trip["eway_bill"]["expires_at"])
            truck.eway_bill_until = f"{expires:%d %b}"
            truck.transit_pass = trip["transit_pass_number"]
            self.stage.tell(
                f"{truck.registration} is loaded with {tons(truck.loaded_kg)} on lorry receipt "
                f"{truck.lorry_receipt}"
            )
            self.stage.tell(
                f"{truck.registration} has e-way bill {truck.eway_bill}, good until "
                f"{truck.eway_bill_until}, pass {truck.transit_pass}"
            )

    def _drive(self) -> None:
        for truck in self.facts.trucks:
            self._step(truck, "depart")
            self.stage.tell(f"{truck.registration} is on the road")
        self._look()
        for sequence, share in enumerate(WAY, start=1):
            for truck in self.facts.trucks:
                truck.km = round(self.facts.km * share)
            if self.stand_ins is not None:
                self.stand_ins.sample(
                    [_position(truck, share, sequence) for truck in self.facts.trucks]
                )
            self.stage.tell(f"All three are {round(self.facts.km * share)} km on their way")

    def _deliver(self) -> None:
        for number, truck in enumerate(self.facts.trucks):
            self._step(truck, "arrive-at-drop")
            truck.km = self.facts.km
            code = self._code(truck, "drop")
            truck.delivered_kg = DELIVERED_KG[number]
            body = {
                "tare_kg": TARE_KG,
                "gross_kg": TARE_KG + truck.delivered_kg,
                "code": code,
                "proof_sha256": hashlib.sha256(f"photo of {truck.trip_id}".encode()).hexdigest(),
            }
            self._step(truck, "deliver", body)
            self._look()
            missing = truck.loaded_kg - truck.delivered_kg
            self.stage.tell(
                f"{truck.registration} delivered {tons(truck.delivered_kg)} (code {code}), "
                f"{missing} kg missing; the booking is {self.facts.status}"
            )

    def _prove(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for truck in self.facts.trucks:
            self._step(truck, "close")
            document = self.people.download(FLEET, f"/v1/trips/{truck.trip_id}/evidence")
            path = self.folder / f"trip-{truck.trip_id}.json"
            path.write_bytes(document)
            verdict = verify(document)
            if verdict.fault is not None:
                raise OpsError(f"The evidence in {path} is not whole: {verdict.fault.problem}.")
            truck.evidence = f"{verdict.entries} whole"
            truck.claim_paise = json.loads(document)["entries"][-1]["data"]["claim_paise"]
            claim = rupees(truck.claim_paise) if truck.claim_paise else "nothing"
            self._look()
            self.stage.tell(
                f"{truck.registration} is closed; claimed: {claim}; evidence of "
                f"{verdict.entries} entries: whole"
            )
        self.stage.tell(f"The booking is {self.facts.status}")
        self.stage.tell(f"Evidence, for `ubertruck evidence verify`: {self.folder}")

    def _try_prices(self) -> None:
        address = f"/v1/config/booking/{ENVIRONMENT}/pricing"
        data = dict(self.people.get(OPERATOR, address)["data"])
        rates = {name: Decimal(str(rate)) for name, rate in data["material_rates"].items()}
        data["material_rates"] |= {"coal": float(rates["coal"] * DEARER)}
        found = self.people.post(OPERATOR, DRY_RUN_PATH, {"data": data})
        self.stage.tell(
            f"Tried: coal 5 % dearer would make the last {found['bookings']} bookings "
            f"{rupees(found['difference']['amount'])} dearer"
        )

    @property
    def _booking(self) -> str:
        return f"/v1/booking/{self.facts.booking_id}"

    def _look(self) -> str:
        """The booking's status, as the platform answers it."""
        self.facts.status = self.people.get(SHIPPER, self._booking)["status"]
        return self.facts.status

    def _step(self, truck: TruckFacts, step: str, body: object = None) -> Mapping[str, Any]:
        trip = self.people.post(FLEET, f"/v1/trips/{truck.trip_id}/{step}", body)
        truck.status = trip["status"]
        return trip

    def _code(self, truck: TruckFacts, purpose: str) -> str:
        return self.people.post(SHIPPER, f"/v1/trips/{truck.trip_id}/codes/{purpose}")["code"]


def _papers(number: int, truck: TruckFacts) -> Mapping[str, Any]:
    now = datetime.now(UTC)
    return {
        "tare_kg": TARE_KG,
        "gross_kg": TARE_KG + truck.loaded_kg,
        "carrier": "Deccan Roadways",
        "pickup_state": "JH",
        "consignor": {"name": "Sahyadri Minerals", "gstin": "27AAPFU0939F1ZV"},
        "consignee": {"name": "Budge Budge power station"},
        "eway_bill": {
            "number": f"{181_000_000_000 + int(now.timestamp()) % 10**8 * 10 + number}",
            "issued_at": now.isoformat(),
        },
        "transit_pass_number": f"JH-{int(now.timestamp()) % 10**6:06}{number}",
    }


def _position(truck: TruckFacts, share: float, sequence: int) -> TruckPositionSampled:
    now = datetime.now(UTC)
    start, end = (PICKUP["lat"], PICKUP["lng"]), (DROP["lat"], DROP["lng"])
    lat, lng = (float(a) + (float(b) - float(a)) * share for a, b in zip(start, end, strict=True))
    return TruckPositionSampled.model_validate(
        {
            "truck_id": truck.truck_id,
            "tenant_id": truck.tenant_id,
            "trip_id": truck.trip_id,
            "lat": lat,
            "lng": lng,
            "speed_kmh": 42.5,
            "sequence": sequence,
            "recorded_at": now,
            "received_at": now,
        }
    )
