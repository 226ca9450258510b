"""What somebody who owns the database may do to a sealed audit.

Each deed is a list of statements over two sealed rows that luck picks: `:seq` and `:id` are the
first one's place and key, `:other_seq` and `:other_id` the second one's, `:pick` is from 0 to 31.
"""

import random

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# The chain digest that an honest sealer would give to a row sealed next.
_NEXT_DIGEST = """
    sha256(
        last.chain_digest || int8send(last.seq + 1)
        || int8send((extract(epoch FROM last.sealed_at) * 1000000)::bigint) || chosen.row_digest
    )
"""

DEEDS: dict[str, list[str]] = {
    # one column of one row, each to a value that it didn't have
    "row's key": ["UPDATE audit_log SET id = gen_random_uuid() WHERE id = :id"],
    "row's time": [
        "UPDATE audit_log SET recorded_at = recorded_at + interval '1 microsecond' WHERE id = :id"
    ],
    "row's actor": ["UPDATE audit_log SET actor = actor || ' ' WHERE id = :id"],
    "row's tenant": [
        "UPDATE audit_log SET tenant_id = "
        "CASE WHEN tenant_id IS NULL THEN gen_random_uuid() END WHERE id = :id"
    ],
    "row's action": ["UPDATE audit_log SET action = upper(action) WHERE id = :id"],
    "row's target": ["UPDATE audit_log SET target = '' WHERE id = :id"],
    "row's outcome": ["UPDATE audit_log SET outcome = 'failed' WHERE id = :id"],
    "row's ticket": [
        "UPDATE audit_log SET change_ticket = coalesce(change_ticket || '0', '') WHERE id = :id"
    ],
    "row's source": ["UPDATE audit_log SET source_ip = source_ip + 1 WHERE id = :id"],
    "row's trace": ["UPDATE audit_log SET trace_id = '' WHERE id = :id"],
    "row's details": [
        "UPDATE audit_log SET details = (ARRAY['{}', '[]', 'null', '\"{}\"', 'false', "
        "'{\"number\": 1e2}']::jsonb[])[1 + :pick % 6] WHERE id = :id"
    ],
    "one detail": [
        "UPDATE audit_log SET details = jsonb_set(details, '{ratio}', '1.50') WHERE id = :id"
    ],
    "one detail less": ["UPDATE audit_log SET details = details - 'none' WHERE id = :id"],
    # one column of one seal
    "seal's place": ["UPDATE audit_seals SET seq = seq + 1000000000000 WHERE seq = :seq"],
    "seal's row": ["UPDATE audit_seals SET audit_id = gen_random_uuid() WHERE seq = :seq"],
    "seal's digest": [
        "UPDATE audit_seals SET row_digest = "
        "set_byte(row_digest, :pick, get_byte(row_digest, :pick) # 1) WHERE seq = :seq"
    ],
    "seal's chain": [
        "UPDATE audit_seals SET chain_digest = "
        "set_byte(chain_digest, :pick, get_byte(chain_digest, :pick) # 128) WHERE seq = :seq"
    ],
    "seal's time": [
        "UPDATE audit_seals SET sealed_at = sealed_at - interval '1 microsecond' WHERE seq = :seq"
    ],
    "seal's place, far off": ["UPDATE audit_seals SET seq = 9223372036854775807 WHERE seq = :seq"],
    "seal's time, before all": [
        "UPDATE audit_seals SET sealed_at = '4000-01-01 BC' WHERE seq = :seq"
    ],
    "seal's time, after all": ["UPDATE audit_seals SET sealed_at = 'infinity' WHERE seq = :seq"],
    "row's time, after all": ["UPDATE audit_log SET recorded_at = 'infinity' WHERE id = :id"],
    # what is gone
    "row deleted": ["DELETE FROM audit_log WHERE id = :id"],
    "seal deleted": ["DELETE FROM audit_seals WHERE seq = :seq"],
    "both deleted": [
        "DELETE FROM audit_seals WHERE seq = :seq",
        "DELETE FROM audit_log WHERE id = :id",
    ],
    "seals cut at the end": ["DELETE FROM audit_seals WHERE seq >= :seq"],
    "seals cut at the start": ["DELETE FROM audit_seals WHERE seq <= :seq"],
    "all cut at the end": [
        "DELETE FROM audit_log USING audit_seals WHERE id = audit_id AND seq >= :seq",
        "DELETE FROM audit_seals WHERE seq >= :seq",
    ],
    "all cut at the start": [
        "DELETE FROM audit_log USING audit_seals WHERE id = audit_id AND seq <= :seq",
        "DELETE FROM audit_seals WHERE seq <= :seq",
    ],
    "all emptied": ["TRUNCATE audit_seals, audit_log"],
    # what changed its place
    "two seals swapped": [
        "UPDATE audit_seals SET seq = CASE seq WHEN :seq THEN :other_seq ELSE :seq END "
        "WHERE seq IN (:seq, :other_seq)"
    ],
    "two seals swapped but for their place": [
        "UPDATE audit_seals AS mine SET audit_id = twin.audit_id, row_digest = twin.row_digest, "
        "chain_digest = twin.chain_digest FROM audit_seals AS twin "
        "WHERE mine.seq IN (:seq, :other_seq) AND twin.seq IN (:seq, :other_seq) "
        "AND mine.seq <> twin.seq"
    ],
    "two rows swapped": [
        "UPDATE audit_log SET id = CASE id WHEN :id THEN :other_id ELSE :id END "
        "WHERE id IN (:id, :other_id)"
    ],
    # what is there twice
    "row repeated": ["INSERT INTO audit_log SELECT * FROM audit_log WHERE id = :id"],
    "seal repeated": ["INSERT INTO audit_seals SELECT * FROM audit_seals WHERE seq = :seq"],
    "row sealed again": [
        "INSERT INTO audit_seals SELECT last.seq + 1, chosen.audit_id, chosen.row_digest, "  # noqa: S608 - a constant
        f"{_NEXT_DIGEST}, last.sealed_at FROM audit_seals AS chosen, "
        "(SELECT * FROM audit_seals ORDER BY seq DESC LIMIT 1) AS last WHERE chosen.seq = :seq"
    ],
    "seal before the start": [
        "INSERT INTO audit_seals SELECT -(:pick % 2), audit_id, row_digest, chain_digest, "
        "sealed_at FROM audit_seals WHERE seq = :seq"
    ],
}


class Tampering:
    """Does deeds to an audit whose first `rows` rows are sealed."""

    def __init__(self, luck: random.Random, rows: int) -> None:
        self._luck = luck
        self._rows = rows

    async def one(self, session: AsyncSession, deed: str) -> None:
        """Do `deed` to rows that luck picks."""
        seq, other_seq = self._luck.sample(range(1, self._rows + 1), 2)
        picked = {
            "seq": seq,
            "other_seq": other_seq,
            "id": await self._key(session, seq),
            "other_id": await self._key(session, other_seq),
            "pick": self._luck.randrange(32),
        }
        for statement in DEEDS[deed]:
            used = {name: value for name, value in picked.items() if f":{name}" in statement}
            await session.execute(text(statement), used)

    async def _key(self, session: AsyncSession, seq: int) -> object:
        query = text("SELECT audit_id FROM audit_seals WHERE seq = :seq")
        return await session.scalar(query, {"seq": seq})
