"""Errors that end a command with one sentence."""


class OpsError(Exception):
    """What went wrong, said in one sentence to a person.

    `code` is the command's exit code: 1 for a fault, 2 for wrong usage.
    """

    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
