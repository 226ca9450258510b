-- The rows of one booking, as row d writes them: three statements in a transaction, five round
-- trips. What differs from booking to booking is made here, as cheaply as may be; the rest comes
-- from outside, so that the server reads it again for each row, as it has to for a service.
\set shipper random(1, 200)
BEGIN;
INSERT INTO bookings (
    id, tenant_id, shipper_id, pickup_lat, pickup_lng, pickup_address, drop_lat, drop_lng,
    drop_address, material_type, quantity_mt, distance_m, price_paise, price_basis, quote_id,
    status, version, created_at, updated_at
) VALUES (
    uuidv7(), md5(:shipper::text)::uuid, md5(:shipper::text)::uuid::text, :pickup_lat, :pickup_lng,
    :pickup_address, :drop_lat, :drop_lng, :drop_address, :material_type, :quantity_mt,
    :distance_m, :price_paise, :price_basis, NULL, :status, 1, now(), now()
) RETURNING id AS booking_id \gset
INSERT INTO outbox (
    id, type, source, subject, tenant_id, aggregate_version, traceparent, data, occurred_at
) VALUES (
    uuidv7(), :event_type, :event_source, :booking_id, md5(:shipper::text)::uuid, 1, :traceparent,
    (:event_head::text || :booking_id::text || :event_tail::text)::jsonb, now()
);
INSERT INTO idempotency_records (
    tenant_id, principal, route, key, fingerprint, status, media_type, headers, body
) VALUES (
    md5(:shipper::text)::uuid, md5(:shipper::text)::uuid::text, :route, gen_random_uuid()::text,
    sha256(:booking_id::bytea), 200, :media_type, :answer_headers,
    convert_to(:answer_head::text || :booking_id::text || :answer_tail::text, 'UTF8')
);
COMMIT;
