"""Versions of a service that are a page long: folders with a `booking` that starts at once.

Only the standard library, since every test starts some of them.
"""

from pathlib import Path
from string import Template

APP = Template('''
import asyncio, json, os, signal, sys, time

HEALTH, PORT = (int(os.environ.get("UBERTRUCK_" + name, "0")) for name in ("HEALTH_PORT", "PORT"))
seen = 0

async def act():
    """What this version does about a request: its status."""
    $act
    return 200

async def talk(reader, writer, answer):
    try:
        while await reader.readuntil(b"\\r\\n\\r\\n"):
            status = await answer()
            body = b"$version"
            head = f"HTTP/1.1 {status} X\\r\\ncontent-length: {len(body)}\\r\\n\\r\\n"
            writer.write(head.encode() + body)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()

async def healthy():
    return $health

async def main():
    $start
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    servers = [await asyncio.start_server(lambda r, w: talk(r, w, healthy), "127.0.0.1", HEALTH)]
    if PORT:
        servers.append(await asyncio.start_server(lambda r, w: talk(r, w, act), "127.0.0.1", PORT))
    await stop.wait()

asyncio.run(main())
''')


def version(
    folder: Path, name: str, *, act: str = "pass", health: str = "200", start: str = "pass"
) -> Path:
    """A version called `name` whose answer, health and start are these lines of Python."""
    package = folder / name / "booking" / "src" / "booking"
    package.mkdir(parents=True)
    text = APP.substitute(version=name, act=act, health=health, start=start)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(text)
    return folder / name
