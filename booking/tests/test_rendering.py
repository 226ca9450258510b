from datetime import UTC
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from booking.models import Booking, BookingRow
from booking.rendering import answer, requested_event
from booking.schemas import BookingOut, Contact
from booking.statuses import Status
from contracts.booking import BookingRequested, Material, Money, Place

degrees = st.floats(-180, 180)
moments = st.datetimes(timezones=st.just(UTC))
contacts = st.builds(
    Contact,
    name=st.text('aé क/"\\', min_size=1, max_size=40).filter(str.strip),
    phone=st.from_regex(r"\A\+[1-9][0-9]{7,14}\Z"),
).map(Contact.model_dump)
columns: dict[str, st.SearchStrategy[Any]] = {
    "tenant_id": st.uuids(),
    "shipper_id": st.text(max_size=40),
    "pickup_lat": degrees,
    "pickup_lng": degrees,
    "pickup_address": st.text(max_size=40),
    "drop_lat": degrees,
    "drop_lng": degrees,
    "drop_address": st.text(max_size=40),
    "material_type": st.sampled_from(Material),
    "quantity_mt": st.decimals(1, 1000, places=3),
    "distance_m": st.integers(1, 2**31 - 1),
    "price_paise": st.integers(1, 2**63 - 1),
    "price_basis": st.just("{}"),
    "created_at": moments,
    "id": st.uuids(),
    "quote_id": st.none() | st.uuids(),
    "status": st.sampled_from(Status),
    "version": st.integers(1, 2**31 - 1),
    "updated_at": moments,
    "pickup_from": st.none() | moments,
    "pickup_until": st.none() | moments,
    "deliver_by": st.none() | moments,
    "pickup_contact": st.none() | contacts,
    "drop_contact": st.none() | contacts,
    "instructions": st.none() | st.text(max_size=40),
}


@given(values=st.fixed_dictionaries(columns))
def test_what_is_written_is_what_the_models_would_write(values: dict[str, Any]) -> None:
    booking = Booking(**values)
    for end in ("pickup_contact", "drop_contact"):
        if values[end] is not None:
            values[end] = orjson.dumps(values[end]).decode()
    row = BookingRow(**values)
    assert answer(row) == BookingOut.of(booking).model_dump_json().encode()
    event = BookingRequested(
        booking_id=row.id,
        tenant_id=row.tenant_id,
        shipper_id=row.shipper_id,
        pickup_location=Place(lat=row.pickup_lat, lng=row.pickup_lng, address=row.pickup_address),
        drop_location=Place(lat=row.drop_lat, lng=row.drop_lng, address=row.drop_address),
        material_type=row.material_type,
        quantity_mt=row.quantity_mt,
        distance_m=row.distance_m,
        price=Money(amount=row.price_paise),
        quote_id=row.quote_id,
        requested_at=row.created_at,
        pickup_from=row.pickup_from,
        pickup_until=row.pickup_until,
        deliver_by=row.deliver_by,
    )
    assert requested_event(row) == event.model_dump_json()


def test_a_row_has_the_columns_of_its_table() -> None:
    assert set(BookingRow.__slots__) == {column.key for column in Booking.__table__.columns}
