"""What ends a run without figures."""


class BenchFailed(Exception):
    """The measurement could not be completed; the message says why."""
