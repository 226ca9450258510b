"""Logging in as a demo person, and keeping the session so that one code serves many commands."""

import fcntl
import os
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import cast

import httpx
from pyotp.totp import TOTP

from ops import api
from ops.credentials import ensure_device, ensure_totp
from ops.people import Person, with_second_factor
from ops.state import PRIVATE_FILE, StateFolder, read_json, write_json

STEP_SECONDS = 30
# A token is handed out only while it is good for this many seconds more.
SPARE_SECONDS = 120.0
DEVICE_HEADER = "x-device-id"


class Sessions:
    """Sessions of demo people at the platform at `url`, kept in its state folder."""

    def __init__(
        self,
        folder: StateFolder,
        url: str,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = folder
        self._url = url
        self._transport = transport
        self._clock = clock
        self._sleep = sleep

    def access_token(self, person: Person) -> str:
        """A token that is good for two minutes or more; OpsError when the platform gives none."""
        device = {DEVICE_HEADER: ensure_device(self._folder)}
        with self._alone(), api.client(self._url, self._transport) as client:
            client.headers.update(device)
            kept = self._read(person)
            if self._is_fresh(kept):
                return str(kept["access_token"])
            answer = self._refresh(client, kept) or self._log_in(client, person)
            expires_at = self._clock() + float(cast("float", answer["expires_in"]))
            self._write(person, {**answer, "expires_at": expires_at})
            return str(answer["access_token"])

    def code(self, person: Person) -> str:
        """A code of the person's second factor that wasn't used yet."""
        with self._alone():
            return self._next_code(person)

    def _is_fresh(self, kept: Mapping[str, object]) -> bool:
        expires_at = kept.get("expires_at")
        return isinstance(expires_at, float) and expires_at - self._clock() > SPARE_SECONDS

    def _refresh(
        self, client: httpx.Client, kept: Mapping[str, object]
    ) -> Mapping[str, object] | None:
        if "refresh_token" not in kept:
            return None
        response = client.post("/auth/refresh", json={"refresh_token": kept["refresh_token"]})
        return api.json_of(response) if response.is_success else None

    def _log_in(self, client: httpx.Client, person: Person) -> Mapping[str, object]:
        what = f"Logging in as {person.username}"
        body = {"username": person.username, "password": person.password}
        answer = api.accepted(client.post("/auth/login", json=body), what)
        if "challenge" not in answer:
            return answer
        body = {"challenge": str(answer["challenge"]), "code": self._next_code(person)}
        return api.accepted(client.post("/auth/mfa", json=body), what)

    def _next_code(self, person: Person) -> str:
        """A code that wasn't used yet: each is good once, and the next one already is."""
        secrets = ensure_totp(self._folder, with_second_factor())
        now = int(self._clock()) // STEP_SECONDS
        used = cast("int", self._read(person).get("totp_step", 0))
        step = max(now, used + 1)
        if step > now + 1:
            self._sleep((step - 1) * STEP_SECONDS - self._clock())
        self._write(person, {"totp_step": step})
        return TOTP(secrets[person.username]).generate_otp(step)

    def _read(self, person: Person) -> Mapping[str, object]:
        kept = read_json(self._folder.sessions_file).get(person.username)
        return cast("dict[str, object]", kept) if isinstance(kept, dict) else {}

    def _write(self, person: Person, news: Mapping[str, object]) -> None:
        everybody = read_json(self._folder.sessions_file)
        kept = {**self._read(person), **news}
        write_json(self._folder.sessions_file, {**everybody, person.username: kept})

    @contextmanager
    def _alone(self) -> Generator[None]:
        path = self._folder.sessions_file.with_suffix(".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
