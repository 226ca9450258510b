"""Assignment: how much of a booking trips cover, the open loads, and where trucks were last."""

from alembic import op

from chassis.schema_v1 import set_schema_revision

revision = "0006"
down_revision = "0005"

RUNTIME = "booking_runtime"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    op.execute(
        """
        CREATE TABLE booking_coverage (
            booking_id uuid NOT NULL,
            quantity_mt numeric(7, 3) NOT NULL,
            covered_mt numeric(7, 3) NOT NULL,
            CONSTRAINT pk_booking_coverage PRIMARY KEY (booking_id),
            CONSTRAINT fk_booking_coverage_booking_id_bookings FOREIGN KEY (booking_id)
                REFERENCES bookings (id),
            CONSTRAINT ck_booking_coverage_covered_mt CHECK
                (covered_mt BETWEEN 0 AND quantity_mt)
        )
        """
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE (covered_mt) ON booking_coverage TO {RUNTIME}")
    op.execute(
        """
        CREATE TABLE truck_positions (
            truck_id uuid NOT NULL,
            sequence bigint NOT NULL,
            lat double precision NOT NULL,
            lng double precision NOT NULL,
            recorded_at timestamptz NOT NULL,
            CONSTRAINT pk_truck_positions PRIMARY KEY (truck_id),
            CONSTRAINT fk_truck_positions_truck_id_trucks FOREIGN KEY (truck_id)
                REFERENCES trucks (id),
            CONSTRAINT ck_truck_positions_place CHECK
                (lat BETWEEN -90 AND 90 AND lng BETWEEN -180 AND 180)
        )
        """
    )
    op.execute(
        "CREATE INDEX ix_truck_positions_place ON truck_positions USING gist (point(lng, lat))"
    )
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (sequence, lat, lng, recorded_at) ON truck_positions"
        f" TO {RUNTIME}"
    )
    op.execute(
        "CREATE INDEX ix_bookings_open ON bookings (created_at, id)"
        " WHERE status IN ('confirmed', 'assigned', 'in_progress')"
    )
    set_schema_revision(op, current=6, minimum_code=1)
