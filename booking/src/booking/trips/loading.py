"""What is written when a truck is loaded, and the lorry receipt that is read from it.

All that the receipt says stands in the evidence entry of the loading, so whoever holds the receipt
can check every word of it against the exported evidence.
"""

from datetime import datetime
from decimal import Decimal
from typing import cast
from uuid import UUID

from pydantic import JsonValue

from booking.fleets.models import Driver, Truck
from booking.models import Booking
from booking.pricing import share_paise
from booking.trips.errors import EwayBillExpired, EwayBillFromTheFuture
from booking.trips.evidence import Entry, spelled
from booking.trips.eway_bill import EwayBill, eway_bill
from booking.trips.lorry_receipt import LorryReceipt, Party, Risk, check_gstin
from booking.trips.models import Trip
from booking.trips.rules import Ruling
from booking.trips.schemas import EwayBillIn, LoadRequest, PartyIn
from booking.trips.weights import Weighing, kilograms, shortage, tons

KIND = "loaded"


def bill_of(given: EwayBillIn, *, distance_m: int, at: datetime) -> EwayBill:
    """The e-way bill that came with a load, which has to hold now."""
    bill = eway_bill(given.number, issued_at=given.issued_at, distance_m=distance_m)
    require_holding(bill, at=at)
    return bill


def require_holding(bill: EwayBill, *, at: datetime) -> None:
    """Raise `EwayBillFromTheFuture` or `EwayBillExpired` unless goods may travel on it now."""
    if bill.issued_at > at:
        raise EwayBillFromTheFuture
    if bill.expires_at <= at:
        raise EwayBillExpired(f"It was valid until {bill.expires_at.isoformat()}.")


def loaded_data(
    *,
    trip: Trip,
    booking: Booking,
    truck: Truck,
    driver: Driver,
    request: LoadRequest,
    left_kg: int,
    bill: EwayBill | None,
    ruling: Ruling,
) -> dict[str, JsonValue]:
    """The data of the loading's entry."""
    weighing = request.weighing
    paise_per_ton = ruling.rules.declared_paise_per_ton[booking.material_type]
    # What everything loaded is worth is what would be claimed if nothing of it arrived.
    worth = shortage(
        loaded_kg=weighing.net_kg,
        delivered_kg=0,
        paise_per_ton=paise_per_ton,
        tolerance_percent=Decimal(0),
    )
    return {
        "tare_kg": weighing.tare_kg,
        "gross_kg": weighing.gross_kg,
        "net_kg": weighing.net_kg,
        "planned_kg": kilograms(trip.load_mt),
        "released_kg": left_kg,
        "lorry_receipt": trip.lorry_receipt_number,
        "eway_bill": None if bill is None else bill.number,
        "eway_bill_expires_at": None if bill is None else spelled(bill.expires_at),
        "transit_pass": trip.transit_pass_number,
        "pickup_state": request.pickup_state,
        "carrier": request.carrier,
        "consignor": _party(request.consignor, booking.pickup_address),
        "consignee": _party(request.consignee, booking.drop_address),
        "goods": booking.material_type.value,
        "packages": request.packages,
        "risk": request.risk.value,
        "declared_paise_per_ton": paise_per_ton,
        "declared_paise": worth.claim_paise,
        # Of no more than the trip is for: all receipts together are never above the price.
        "freight_paise": share_paise(
            price_paise=booking.price_paise,
            quantity_mt=booking.quantity_mt,
            load_mt=min(tons(weighing.net_kg), trip.load_mt),
        ),
        "truck": truck.registration_number,
        "driver": driver.name,
        "driver_licence": driver.licence_number,
        "rules": ruling.evidence,
    }


def receipt_of(entry: Entry, *, trip_id: UUID) -> LorryReceipt:
    """The receipt that a loading's entry gives."""
    data = entry.data

    def text(name: str) -> str:
        return cast(str, data[name])

    def number(name: str) -> int:
        return cast(int, data[name])

    return LorryReceipt(
        number=text("lorry_receipt"),
        trip_id=trip_id,
        issued_at=datetime.fromisoformat(entry.at),
        carrier=text("carrier"),
        consignor=Party(**cast("dict[str, str]", data["consignor"])),
        consignee=Party(**cast("dict[str, str]", data["consignee"])),
        goods=text("goods").replace("_", " ").capitalize(),
        packages=text("packages"),
        weighing=Weighing(tare_kg=number("tare_kg"), gross_kg=number("gross_kg")),
        declared_paise=number("declared_paise"),
        freight_paise=number("freight_paise"),
        risk=Risk(text("risk")),
        truck=text("truck"),
        driver=text("driver"),
        driver_licence=text("driver_licence"),
        eway_bill=cast("str | None", data["eway_bill"]),
        transit_pass=cast("str | None", data["transit_pass"]),
        evidence_head=entry.digest,
    )


def _party(party: PartyIn, address: str) -> dict[str, JsonValue]:
    gstin = None if party.gstin is None else check_gstin(party.gstin)
    return {"name": party.name, "address": address, "gstin": gstin}
