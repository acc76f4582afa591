"""Why the embedded stack does not run. Apart from what raises it, so that it can be named without loading that."""


class BrokerFailed(Exception):
    """The broker could not be started; the message says why and what to do."""


class StackFailed(Exception):
    """The stack could not be started; the message says which part, why, and what to do."""


class SupervisorFailed(Exception):
    """A child could not be kept running, or did not get ready in time; the message holds the end of its log."""
