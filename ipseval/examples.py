"""The bundled synthetic trials, in a source tree and in an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

from ipseval.errors import DataError
from ipseval.loading import load
from ipseval.trial import Trial


def example_folder(name: str) -> Path:
    """Return the folder of a bundled trial: packaged data if installed from a wheel, else the source tree's.

    Raises
    ------
    DataError
        For a trial that is not bundled; the message lists those that are.
    """
    package = Path(__file__).resolve().parent
    for root in (package / "_synthetic", package.parent / "data" / "synthetic"):
        if (root / name / "trial.toml").is_file():
            return root / name
        known = sorted(folder.name for folder in root.glob("*") if (folder / "trial.toml").is_file())
        if known:
            raise DataError(f"No bundled trial is called {name!r} (bundled: {', '.join(known)}).")
    raise DataError("This installation holds no bundled trials. Install the wheel, or work in a source tree.")


def example(name: str = "scion") -> Trial:
    """Load a bundled synthetic trial; its people are simulated.

    Parameters
    ----------
    name : {"scion", "eqolise"}
        ``scion`` is like the Dutch trial (151 people, 30 months), ``eqolise`` like the European one (312
        people, 18 months); the card beside the data says what was matched and what was invented.

    Returns
    -------
    Trial
        With ``simulated`` True, which every output repeats.

    Raises
    ------
    DataError
        For a trial that is not bundled; the message lists those that are.

    Examples
    --------
    >>> import ipseval as ips
    >>> len(ips.example("scion"))
    151
    """
    return load(example_folder(name))
