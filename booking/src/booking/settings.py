"""What booking reads from its environment, besides what every service reads."""

from decimal import Decimal

from pydantic import Field

from chassis.settings import ServiceSettings


class BookingSettings(ServiceSettings):
    """Boot settings of booking. Prices come from config-service, never from here."""

    quote_minutes: int = Field(default=30, ge=1, le=24 * 60, description="How long a quote holds")
    road_factor: Decimal = Field(
        default=Decimal("1.3"), ge=1, le=3, description="Length of roads to that of the air line"
    )
    payment_hours: int = Field(
        default=24, ge=1, le=30 * 24, description="How long a booking waits for payment's answer"
    )
    cover_days: int = Field(
        default=30,
        ge=1,
        le=365,
        description="How long one without a pickup window waits for trucks",
    )


def booking_settings(settings: ServiceSettings) -> BookingSettings:
    """The settings as this service's own; what a plain ServiceSettings lacks takes its default."""
    if isinstance(settings, BookingSettings):
        return settings
    return BookingSettings.model_validate(settings.model_dump())
