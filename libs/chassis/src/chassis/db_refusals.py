"""What a server says to an address that another try doesn't make right."""

from typing import Final, cast

# SQLSTATEs by their beginning.
_SENTENCES: Final = {
    "28": "The database refuses the user or the password of UBERTRUCK_DATABASE_URL.",
    "3D000": "The server that UBERTRUCK_DATABASE_URL names has no such database.",
}


class DatabaseRefusal(Exception):
    """The address is wrong. The message is one sentence for an operator, without the address."""


def raise_refusal(error: BaseException) -> None:
    """Raise `DatabaseRefusal` if that is what `error` comes from."""
    reason: BaseException | None = error
    while reason is not None:
        state = cast("str | None", getattr(reason, "sqlstate", None)) or ""
        for beginning, sentence in _SENTENCES.items():
            if state.startswith(beginning):
                raise DatabaseRefusal(sentence) from error
        reason = reason.__cause__
