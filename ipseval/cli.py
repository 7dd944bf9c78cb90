"""The command line: parse, call, exit code. Everything it does is a function that a notebook can call.

Exit codes: 0 done, also where a quantity has no value in these data (a ratio over nobody); 1 the data,
plan or arguments need mending, with the reason on standard error; 2 a command that cannot be read;
130 stopped by hand; 143 ended by SIGTERM.
"""

from __future__ import annotations

import argparse
import io
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from ipseval._version import __version__
from ipseval.errors import IpsevalError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):  # an id may hold letters that the terminal does not have
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _leaving_nothing_when_ended():
            return int(arguments.run(arguments))
    except IpsevalError as refusal:
        print(f"ipseval: {refusal}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a pipe has seen enough
        return 0
    except OSError as fault:
        place = f"{fault.filename}: " if fault.filename else ""
        print(
            f"ipseval: {place}{fault.strerror or fault}. Check the path and who may use it.", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        print(
            "ipseval: stopped. What a run had begun is gone; what was there before still is.", file=sys.stderr
        )
        return 130


@contextmanager
def _leaving_nothing_when_ended() -> Iterator[None]:
    """Let SIGTERM, by which a cluster or a service ends a program, clean up as Ctrl-C does."""

    def end(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # only the main thread may say what a signal does
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ipseval", description="Outcome evaluation of randomised trials of supported employment (IPS)."
    )
    parser.add_argument("--version", action="version", version=f"ipseval {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    command = commands.add_parser(
        "reproduce", help="published beside reproduced, on a bundled simulated trial"
    )
    command.add_argument("trials", nargs="*", metavar="TRIAL", help="scion (the default), eqolise")
    command.add_argument("--out", default="results", help="folder to write into (default: results)")
    _language(command)
    command.set_defaults(run=_reproduce)

    command = commands.add_parser("check", help="load a trial and list every problem")
    command.add_argument("folder", help="folder with a trial.toml, or the file itself")
    command.set_defaults(run=_check)

    command = commands.add_parser("plan", help="check a plan and say it in prose")
    command.add_argument("plan", help="the plan, a TOML file")
    command.add_argument("folder", help="folder of the trial, for its arms and month rule")
    command.set_defaults(run=_plan)

    command = commands.add_parser("run", help="carry out a plan on a trial")
    command.add_argument("plan", help="the plan, a TOML file")
    command.add_argument("folder", help="folder with a trial.toml")
    command.add_argument("--out", required=True, help="folder to write into; made whole or not at all")
    _language(command)
    command.set_defaults(run=_run)

    command = commands.add_parser("report", help="write the report again from saved public results")
    command.add_argument("folder", help="the public folder of a run")
    command.add_argument("--out", default="", help="file to write (default: report.html in that folder)")
    _language(command)
    command.set_defaults(run=_report)

    command = commands.add_parser("compare", help="what moved between two runs")
    command.add_argument("before", help="folder with results")
    command.add_argument("after", help="folder with results")
    command.set_defaults(run=_compare)

    command = commands.add_parser("simulate", help="make a synthetic trial with a known truth")
    command.add_argument("design", help="the design, a TOML file")
    command.add_argument("--out", required=True, help="folder to write into")
    command.set_defaults(run=_simulate)
    return parser


def _language(command: argparse.ArgumentParser) -> None:
    # The languages are listed here again so that --help need not read the catalogue; a test compares.
    command.add_argument(
        "--lang", default="en", choices=("en", "nl", "fr", "de"), help="language of the output"
    )


def _reproduce(arguments: argparse.Namespace) -> int:
    from ipseval.deliver import reproduce

    for trial in arguments.trials or ["scion"]:
        print(reproduce(trial, arguments.out, lang=arguments.lang, progress=sys.stderr.isatty()))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from ipseval.loading import inspect, problems_text

    trial, problems = inspect(arguments.folder)
    if problems:
        print(problems_text(problems))
    if trial is None:
        return 1
    print(trial)
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    from ipseval.loading import load
    from ipseval.plan import read_plan

    print(read_plan(arguments.plan).say(load(arguments.folder).design))
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from ipseval.deliver import run_plan

    delivery = run_plan(
        arguments.plan, arguments.folder, arguments.out, lang=arguments.lang, progress=sys.stderr.isatty()
    )
    print(delivery)
    return 1 if delivery.n_failed else 0


def _report(arguments: argparse.Namespace) -> int:
    from ipseval.render.report import report
    from ipseval.results import PublicResults

    target = Path(arguments.out or Path(arguments.folder) / "report.html")
    print(report(PublicResults.read(arguments.folder), target, lang=arguments.lang))
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from ipseval.results import Results

    moved = Results.read(arguments.before).compare(Results.read(arguments.after))
    print("Nothing moved." if moved.empty else moved.to_string(index=False))
    return 0


def _simulate(arguments: argparse.Namespace) -> int:
    from ipseval.simulation import simulate

    simulate(arguments.design, arguments.out)
    print(f"A simulated trial stands in {arguments.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
