"""What kinds there are of trucks, their documents, licences, and reasons for not being there."""

import enum
from typing import Final


class TruckType(enum.StrEnum):
    """How a truck is built."""

    TIPPER = "tipper"
    OPEN_BODY = "open_body"
    CLOSED_BODY = "closed_body"
    TRAILER = "trailer"
    BULKER = "bulker"


class DocumentKind(enum.StrEnum):
    """What a truck must have with it to carry goods for hire."""

    REGISTRATION = "registration"
    FITNESS = "fitness"
    INSURANCE = "insurance"
    PERMIT = "permit"
    POLLUTION = "pollution"


class LicenceClass(enum.StrEnum):
    """Classes of vehicles on a driving licence, of those that carry goods."""

    LMV_TR = "LMV-TR"
    MGV = "MGV"
    HGMV = "HGMV"
    HMV = "HMV"
    TRANS = "TRANS"


HEAVY_GOODS: Final = frozenset({LicenceClass.HGMV, LicenceClass.HMV, LicenceClass.TRANS})


class AbsenceReason(enum.StrEnum):
    """Why a truck or a driver can't be had for a time."""

    OFF_DUTY = "off_duty"
    MAINTENANCE = "maintenance"
