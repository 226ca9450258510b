"""Numbers that Indian authorities give to vehicles and drivers: their forms, and which are written.

What people type has blanks and hyphens in it, and small letters; what is kept has neither.
"""

import re
from typing import Final

# Of today: what a permit is for.
STATES: Final = frozenset(
    {
        "AN", "AP", "AR", "AS", "BR", "CG", "CH", "DD", "DL", "GA", "GJ", "HP",
        "HR", "JH", "JK", "KA", "KL", "LA", "LD", "MH", "ML", "MN", "MP", "MZ",
        "NL", "OD", "PB", "PY", "RJ", "SK", "TG", "TN", "TR", "UK", "UP", "WB",
    }
)  # fmt: skip
# On plates and licences from before a state was renamed, split or joined.
FORMER_STATES: Final = frozenset({"DN", "OR", "TS", "UA"})

# District, series, number: MH12AB1234; some old plates have no series, some districts one digit.
REGISTRATION: Final = r"[A-Z]{2}[0-9]{1,2}[A-Z]{0,3}[0-9]{4}"
# Year, series of the whole country, number, letters without I and O: 22BH1234AA.
BHARAT_REGISTRATION: Final = r"2[1-9]BH[0-9]{4}[A-HJ-NP-Z]{1,2}"
# State, office, year of issue, number.
LICENCE: Final = r"[A-Z]{2}[0-9]{2}(19|20)[0-9]{9}"
# Mobile numbers begin with 6 to 9.
PHONE: Final = r"\+91[6-9][0-9]{9}"

_SEPARATORS: Final = re.compile(r"[ -]")


def registration_number(text: str) -> str:
    """A vehicle's number in its normal form; raises ValueError."""
    number = _normal(text)
    if re.fullmatch(BHARAT_REGISTRATION, number, re.ASCII):
        return number
    if not re.fullmatch(REGISTRATION, number, re.ASCII):
        raise ValueError("must be a registration number, as MH12AB1234 or 22BH1234AA")
    _require_state(number)
    if number.endswith("0000"):
        raise ValueError("has the number 0000, which no vehicle gets")
    return number


def licence_number(text: str) -> str:
    """A driving licence's number in its normal form; raises ValueError."""
    number = _normal(text)
    if not re.fullmatch(LICENCE, number, re.ASCII):
        raise ValueError("must be a licence number, as MH1220110012345")
    _require_state(number)
    return number


def _normal(text: str) -> str:
    return _SEPARATORS.sub("", text.strip()).upper()


def _require_state(number: str) -> None:
    if number[:2] not in STATES | FORMER_STATES:
        raise ValueError(f"begins with {number[:2]}, which is no state of India")
