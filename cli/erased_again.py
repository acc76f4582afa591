"""What came of erasing again what a restored backup brought back: told by `erase --replay` and by `migrate`."""

from cli.console import say
from pipeline.erasure.replaying import Replayed

AND_WHEN = "the log file of the database could not be cut off, since somebody reads it; the next erasure does so"


def tell_replayed(done: Replayed) -> None:
    """On stderr; of what is as it should be one line."""
    say(f"{done.named} named in the erasures file; {len(done.erased)} were back, and are erased again")
    tell_what_is_left(done)


def tell_what_is_left(done: Replayed) -> None:
    """Only what there is to see to."""
    if not done.no_trace:
        say(AND_WHEN)
    for submission_id, matters in sorted(done.held.items()):
        say(f"not erased again: {submission_id}, under legal hold for {', '.join(matters)}")
    for submission_id, error in sorted(done.failed.items()):
        say(f"not erased again: {submission_id} ({error}); the others are")
    if done.wrong:
        say(f"not as they were written, and passed over: lines {', '.join(map(str, done.wrong))}")
    if done.torn:
        lines = ", ".join(map(str, done.torn))
        say(f"begun and never finished, so that nothing was erased by them: lines {lines}")
    tell_files(done.left)


def tell_files(left: tuple[str, ...]) -> None:
    """Rendered emails that are still in the mailbox folder."""
    if left:
        say(f"erased, but {len(left)} rendered emails could not be deleted, and are tried again the next time:")
        say("\n".join(f"  {name}" for name in left))
