"""HTTP in, HTTP out. An address may hold slashes, so the routes that add to it come first."""

from fastapi import APIRouter

from config_service.endpoints import proposals, reading, writing

router = APIRouter()
for part in (proposals.router, reading.narrower, writing.narrower, reading.router, writing.router):
    router.include_router(part)
