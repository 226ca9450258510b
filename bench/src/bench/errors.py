"""Why there is no result, as one sentence for a person."""


class BenchError(Exception):
    """The benchmark can't run here, or not like this."""


class WrongAnswer(BenchError):
    """What was measured did something wrong, so its figures are worth nothing."""
