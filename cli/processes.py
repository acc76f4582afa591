"""The processes: `web`, `worker` and `beat` for production, `migrate` before them, and `up` for all on one machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from cli.console import command, err, say
from cli.failures import WRONG_USE, CannotRun, fail, read_settings
from config.log import configure_logging
from config.settings import Settings
from pipeline.lane_names import LANE_NAMES
from pipeline.operations.opening import open_database


def web() -> None:
    """Serve the form, the pages and the intake API."""
    # Each process loads only its own frameworks.
    from web.server import run  # noqa: PLC0415

    settings = _settings_of_a_process()
    run(settings, _broker_url(settings))


def worker(
    lanes: Annotated[str, typer.Option(help="Lanes to serve, with commas between.")] = ",".join(LANE_NAMES),
) -> None:
    """Work on lanes until SIGTERM."""
    from tasks.run import UnknownLane, run_worker  # noqa: PLC0415

    settings = _settings_of_a_process()
    wanted = tuple(dict.fromkeys(name.strip() for name in lanes.split(",") if name.strip()))
    if not wanted:
        fail(f"--lanes names no lane; there are {', '.join(LANE_NAMES)}", WRONG_USE)
    try:
        run_worker(settings, _broker_url(settings), wanted)
    except UnknownLane as error:
        fail(str(error), WRONG_USE)
    except ValueError as error:  # a mail setting that cannot work
        raise CannotRun(str(error)) from None


def beat() -> None:
    """Send the sweep on time until SIGTERM."""
    from tasks.beat import run_beat  # noqa: PLC0415

    settings = _settings_of_a_process()
    run_beat(settings, _broker_url(settings))


def migrate() -> None:
    """Bring the database to this version's schema, check the keys, and publish the first provider network."""
    from cli.erased_again import tell_replayed  # noqa: PLC0415
    from pipeline.operations.prepare import prepare  # noqa: PLC0415

    done = prepare(read_settings())
    say(f"schema {done.revision}, keys are the database's own")
    if done.published:
        say(f"published the first network: {len(done.published.added)} providers")
    if done.backfilled:
        say(f"consents of {done.backfilled} earlier submissions are on the ledger")
    if done.replayed is not None:
        tell_replayed(done.replayed)
    if done.resumed:
        say(f"{done.resumed} requests that had ended for want of a consent or its text are offered again")


def up() -> None:
    """Start everything on this machine and serve until Ctrl-C."""
    from embedded.demo_port import port_for  # noqa: PLC0415
    from embedded.mailbox_access import mailbox_access  # noqa: PLC0415
    from embedded.source_secrets import source_secrets  # noqa: PLC0415
    from embedded.stack import EmbeddedStack  # noqa: PLC0415
    from embedded.supervisor import termination_as_interrupt  # noqa: PLC0415

    settings = read_settings()
    secrets, mailbox = source_secrets(settings), mailbox_access(settings)
    port, links_lead_elsewhere = port_for(settings)
    with termination_as_interrupt():
        try:
            with EmbeddedStack(
                settings.data_dir,
                port=port,
                broker_url=settings.broker_url or None,
                environment={**secrets.environment, **mailbox.environment},
                report=lambda line: err.print(f"  {line}", style="dim", markup=False),
            ) as stack:
                _tell_where(settings, stack.url, mailbox.path, secrets.files)
                if links_lead_elsewhere:
                    say(f"\n{links_lead_elsewhere}")
                say("\nServing. Ctrl-C stops everything.")
                stack.wait()
        except KeyboardInterrupt:
            say("\nEverything is stopped.")


def _settings_of_a_process() -> Settings:
    """Settings and logs of a long-running process, which refuses a database it does not know."""
    settings = read_settings()
    configure_logging(settings.log_format)
    with open_database(settings):
        return settings


def _broker_url(settings: Settings) -> str:
    if not settings.broker_url:
        raise CannotRun(
            "CAREROUTE_BROKER_URL is not set. Point it at a broker, such as redis://localhost:6379/0, "
            "or start everything on this machine with `careroute up`, which brings one along."
        )
    return settings.broker_url


def _tell_where(settings: Settings, local_url: str, mailbox: str, files: Mapping[str, Path]) -> None:
    public = settings.public_url or local_url
    say()
    say(f"  form      {public}/screening")
    if mailbox:
        say(f"  mailbox   {local_url}{mailbox}")
        say(f"            as files in {settings.effective_mailbox_dir.resolve()}")
    say(f"  logs      {settings.data_dir.resolve() / 'logs'}")
    say(f"  status    {command('status', settings)}")
    key = files.get("CAREROUTE_SOURCE_NETWORK_SITE_KEY")
    if key is not None:
        say("  post      curl -X POST -H 'Content-Type: application/json' \\")
        say(f'                 -H "Authorization: Bearer $(cat {key})" \\')
        say(f"                 -d @submission.json {public}/v1/submissions")
        elsewhere = "" if public == settings.effective_public_url else f" --url {public}"
        say(f"            or: {command(f'submit submission.json{elsewhere}', settings)}")
