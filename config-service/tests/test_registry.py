from typing import Any, get_args

import pytest

from config_service.addresses import ENVIRONMENTS, Address, ServiceName
from config_service.errors import InvalidConfiguration
from config_service.pricing import MAX_DECIMALS
from config_service.registry import REGISTRATIONS, validated
from contracts.booking import Material
from contracts.pricing import MAX_CONDITION_LENGTH, MAX_TRIGGERS

from .factories import CANCELLATION, PRICING, TRIPS, faults_in, pricing, seed

NIGHT = {"condition": "hour < 5", "multiplier": 1.2}


def surge(**changes: Any) -> dict[str, Any]:
    """A pricing document with this surge configuration."""
    return pricing(
        surge_config={"enabled": True, "max_multiplier": 1.5, "triggers": [NIGHT], **changes}
    )


def faults_of(data: dict[str, Any], address: Address = PRICING) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidConfiguration) as refused:
        validated(address, data)
    return faults_in(refused.value)


def codes_of(data: dict[str, Any]) -> set[tuple[str, str]]:
    return {(pointer, code) for pointer, _message, code in faults_of(data)}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_the_service_ships_is_valid_everywhere(environment: str) -> None:
    validated(Address("booking", environment, "pricing"), pricing())


def test_surge_may_be_left_out() -> None:
    document = pricing()
    del document["surge_config"]
    validated(PRICING, document)


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"base_rate": 99.99}, "/data/base_rate", "minimum"),
        ({"base_rate": 10000.01}, "/data/base_rate", "maximum"),
        ({"base_rate": "150"}, "/data/base_rate", "type"),
        ({"base_rate": True}, "/data/base_rate", "type"),
        ({"base_rate": None}, "/data/base_rate", "type"),
        ({"base_rate": 150.00001}, "/data/base_rate", "decimals"),
        ({"distance_rate": 4.9999}, "/data/distance_rate", "minimum"),
        ({"distance_rate": 100.5}, "/data/distance_rate", "maximum"),
        ({"bas_rate": 150}, "/data/bas_rate", "additionalProperties"),
        ({"material_rates": []}, "/data/material_rates", "type"),
        ({"surge_config": {}}, "/data/surge_config/enabled", "required"),
    ],
)
def test_pricing_out_of_bounds(changes: dict[str, Any], pointer: str, code: str) -> None:
    assert (pointer, code) in codes_of(pricing(**changes))


def test_every_material_has_a_rate_and_no_other_thing_has() -> None:
    rates = {str(material): 1 for material in Material}
    validated(PRICING, pricing(material_rates=rates))
    for material in Material:
        left = {name: rate for name, rate in rates.items() if name != material}
        pointer = f"/data/material_rates/{material}"
        assert codes_of(pricing(material_rates=left)) == {(pointer, "required")}
    more = pricing(material_rates={**rates, "gold": 5})
    assert codes_of(more) == {("/data/material_rates/gold", "additionalProperties")}


@pytest.mark.parametrize(("rate", "code"), [(0.4999, "minimum"), (5.0001, "maximum")])
def test_material_rate_out_of_bounds(rate: float, code: str) -> None:
    rates = {**pricing()["material_rates"], "coal": rate}
    assert codes_of(pricing(material_rates=rates)) == {("/data/material_rates/coal", code)}


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"max_multiplier": 3.01}, "max_multiplier", "maximum"),
        ({"max_multiplier": 0.99}, "max_multiplier", "minimum"),
        ({"enabled": 1}, "enabled", "type"),
        ({"triggers": {}}, "triggers", "type"),
        ({"until": "2027"}, "until", "additionalProperties"),
        ({"triggers": [NIGHT] * (MAX_TRIGGERS + 1)}, "triggers", "maxItems"),
        ({"triggers": [{"multiplier": 1.2}]}, "triggers/0/condition", "required"),
        ({"triggers": [{"condition": "true"}]}, "triggers/0/multiplier", "required"),
        ({"triggers": [{**NIGHT, "name": "x"}]}, "triggers/0/name", "additionalProperties"),
        ({"triggers": [{**NIGHT, "multiplier": 0.99}]}, "triggers/0/multiplier", "minimum"),
        ({"triggers": [{**NIGHT, "multiplier": 1.51}]}, "triggers/0/multiplier", "max_multiplier"),
        ({"triggers": [{**NIGHT, "multiplier": 1.00001}]}, "triggers/0/multiplier", "decimals"),
        ({"triggers": [{**NIGHT, "condition": ""}]}, "triggers/0/condition", "minLength"),
        (
            {"triggers": [{**NIGHT, "condition": "true " + " " * MAX_CONDITION_LENGTH}]},
            "triggers/0/condition",
            "maxLength",
        ),
        ({"triggers": [NIGHT, {**NIGHT, "condition": "x"}]}, "triggers/1/condition", "condition"),
    ],
)
def test_surge_out_of_bounds(changes: dict[str, Any], pointer: str, code: str) -> None:
    assert codes_of(surge(**changes)) == {(f"/data/surge_config/{pointer}", code)}


def test_surge_at_its_bounds() -> None:
    validated(PRICING, surge(triggers=[{**NIGHT, "multiplier": 1.5}] * MAX_TRIGGERS))
    validated(PRICING, surge(enabled=False, max_multiplier=1, triggers=[]))


def test_finest_rate() -> None:
    validated(PRICING, pricing(base_rate=100 + 10**-MAX_DECIMALS))


def test_every_fault_is_told_at_once_and_no_value_is_repeated() -> None:
    broken = pricing(base_rate="s3cret", distance_rate=1)
    broken["surge_config"]["triggers"] = [{"condition": 7}]
    faults = faults_of(broken)
    assert {pointer for pointer, _message, _code in faults} == {
        "/data/base_rate",
        "/data/distance_rate",
        "/data/surge_config/triggers/0/condition",
        "/data/surge_config/triggers/0/multiplier",
    }
    assert all("s3cret" not in message for _pointer, message, _code in faults)


def test_faults_are_shown_up_to_a_number() -> None:
    broken = pricing(**{f"x{n}": n for n in range(200)})
    assert len(faults_of(broken)) == 50


@pytest.mark.parametrize(
    "address",
    [
        Address("booking", "dev", "pricing/coal"),
        Address("booking", "dev", "pricing2"),
        Address("payment", "dev", "pricing"),
    ],
)
def test_only_the_registered_path_has_the_schema(address: Address) -> None:
    validated(address, {"anything": ["goes", 1, None]})


STAGES = {"requested": {}, "confirmed": {"percent": 2.5}, "assigned": {"fixed_paise": 50_000}}


def test_the_fees_that_the_service_ships_are_valid() -> None:
    validated(CANCELLATION, seed("cancellation"))
    validated(CANCELLATION, STAGES)


@pytest.mark.parametrize(
    ("stage", "pointer", "code"),
    [
        ({"percent": 100.5}, "/percent", "maximum"),
        ({"percent": -0.1}, "/percent", "minimum"),
        ({"percent": "5"}, "/percent", "type"),
        ({"percent": 0.00001}, "/percent", "decimals"),
        ({"fixed_paise": 0.5}, "/fixed_paise", "type"),
        ({"fixed_paise": 100_000_001}, "/fixed_paise", "maximum"),
        ({"fixed": 5}, "/fixed", "additionalProperties"),
        (None, "", "type"),
    ],
)
def test_fees_out_of_bounds(stage: Any, pointer: str, code: str) -> None:
    faults = faults_of({**STAGES, "confirmed": stage}, CANCELLATION)
    assert (f"/data/confirmed{pointer}", code) in {(where, what) for where, _, what in faults}


@pytest.mark.parametrize("stage", list(STAGES))
def test_every_stage_has_its_fee(stage: str) -> None:
    left = {name: fee for name, fee in STAGES.items() if name != stage}
    [(pointer, _message, code)] = faults_of(left, CANCELLATION)
    assert (pointer, code) == (f"/data/{stage}", "required")


@pytest.mark.parametrize("registration", REGISTRATIONS)
def test_registrations_speak_of_services_that_there_are(registration: Any) -> None:
    assert registration.service in get_args(ServiceName)


def trips(**changes: Any) -> dict[str, Any]:
    return {**seed("trips"), **changes}


def test_the_rules_of_trips_that_the_service_ships_are_valid() -> None:
    validated(TRIPS, trips())


WORTH = seed("trips")["declared_paise_per_ton"]


def test_the_worth_of_each_material_is_said() -> None:
    for material in Material:
        left = {name: paise for name, paise in WORTH.items() if name != material}
        [(pointer, _message, code)] = faults_of(trips(declared_paise_per_ton=left), TRIPS)
        assert (pointer, code) == (f"/data/declared_paise_per_ton/{material}", "required")
    assert faults_of({}, TRIPS)[0][0] == "/data/declared_paise_per_ton"


@pytest.mark.parametrize(
    "pattern", ["JH-[A-Z]{3}-[0-9]{4,8}", "[A-Z0-9][A-Z0-9/-]{4,28}[A-Z0-9]", "A"]
)
def test_patterns_of_transit_passes(pattern: str) -> None:
    validated(TRIPS, trips(transit_passes={"JH": {"name": "challan", "pattern": pattern}}))


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"declared_paise_per_ton": {**WORTH, "coal": 0}}, "/declared_paise_per_ton/coal", "min"),
        ({"declared_paise_per_ton": {**WORTH, "gold": 1}}, "/declared_paise_per_ton/gold", "addi"),
        ({"shortage_tolerance_percent": 100.5}, "/shortage_tolerance_percent", "maximum"),
        ({"shortage_tolerance_percent": 0.00001}, "/shortage_tolerance_percent", "decimals"),
        ({"km_per_day": 350.5}, "/km_per_day", "type"),
        ({"km_per_day": 49}, "/km_per_day", "minimum"),
        ({"weights": {"least_tare_percent": 0}}, "/weights/least_tare_percent", "exclusiveMin"),
        ({"weights": {"least_tare_percent": 150}}, "/weights", "tare"),
        ({"weights": {"least_tare_percent": 40, "most_tare_percent": 40}}, "/weights", "tare"),
        ({"transit_passes": {"Jharkhand": {}}}, "/transit_passes", "pattern"),
        ({"transit_passes": {"JH": {"materials": ["gold"]}}}, "/transit_passes/JH", "enum"),
        *(
            ({"transit_passes": {"JH": {"pattern": pattern}}}, "/transit_passes/JH", "pattern")
            for pattern in (
                "([A-Z]+)+",
                "[A-Z]*",
                "A|B",
                "[Z-A]",
                "A{2,1}",
                "A{1,9}B{1,9}C{1,9}",
                r"\w{4}",
                ".",
            )
        ),
        ({"tolerance": 1}, "/tolerance", "additionalProperties"),
    ],
)
def test_rules_of_trips_out_of_bounds(changes: dict[str, Any], pointer: str, code: str) -> None:
    [(where, _message, what)] = faults_of(trips(**changes), TRIPS)
    assert where.startswith(f"/data{pointer}")
    assert what.startswith(code)
