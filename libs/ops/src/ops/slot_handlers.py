"""What the running platform does about its slots when another command asks for it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ops.control import Handler
from ops.errors import OpsError
from ops.rollout.ports import Colour
from ops.services import SERVICES, Service
from ops.slots import Slots
from ops.versions import Code


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    do: str
    service: str

    def found(self) -> Service:
        for service in SERVICES:
            if self.service == service.virtual:
                return service
        names = ", ".join(service.virtual for service in SERVICES)
        raise OpsError(f"There is no service {self.service}. There are: {names}.", code=2)


class _Weights(_Request):
    weights: Mapping[str, int]


class _Slot(_Request):
    colour: Colour


class _Scale(_Slot):
    replicas: int


class _BringUp(_Scale):
    version: str
    source: Path | None


T = TypeVar("T", bound=_Request)


def slot_handlers(slots: Slots) -> Mapping[str, Handler]:
    """Requests about slots, by name."""

    async def show(request: Mapping[str, object]) -> object:
        service = _read(_Request, request).found()
        return {
            "active": slots.layout.active(service).colour,
            "weights": {
                colour: slots.weights(service)[service.node_of(colour)] for colour in Colour
            },
            "slots": {colour: await _told(slots, service, colour) for colour in Colour},
        }

    async def set_weights(request: Mapping[str, object]) -> object:
        asked = _read(_Weights, request)
        return slots.set_weights(asked.service, asked.weights)

    async def bring_up(request: Mapping[str, object]) -> object:
        asked = _read(_BringUp, request)
        code = Code(asked.version, asked.source)
        await slots.bring_up(asked.found(), asked.colour, code, replicas=asked.replicas)
        return None

    async def scale(request: Mapping[str, object]) -> object:
        asked = _read(_Scale, request)
        await slots.scale(asked.found(), asked.colour, asked.replicas)
        return None

    async def promote(request: Mapping[str, object]) -> object:
        asked = _read(_Slot, request)
        await slots.promote(asked.found(), asked.colour)
        return None

    async def retire(request: Mapping[str, object]) -> object:
        asked = _read(_Slot, request)
        await slots.retire(asked.found(), asked.colour)
        return None

    return {
        "slots": show,
        "set-weights": set_weights,
        "bring-up": bring_up,
        "scale": scale,
        "promote": promote,
        "retire": retire,
    }


async def _told(slots: Slots, service: Service, colour: Colour) -> Mapping[str, object]:
    code = slots.code(service, colour)
    return {
        "version": None if code is None else code.version,
        **asdict(await slots.targets(service, colour)),
    }


def _read(model: type[T], request: Mapping[str, object]) -> T:
    try:
        return model.model_validate(request)
    except ValidationError as error:
        where = ", ".join(str(fault["loc"][0]) for fault in error.errors() if fault["loc"])
        raise OpsError(f"This can't be asked for so: {where}.", code=2) from error
