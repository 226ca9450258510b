"""Files that another process reads while we write them."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp


def write_atomically(path: Path, text: str) -> bool:
    """Put `text` in the place of the file in one step; says whether that changed anything."""
    with suppress(FileNotFoundError):
        if path.read_text() == text:
            return False
    descriptor, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return True
