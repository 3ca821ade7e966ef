"""Make ``moo_infer_energy/fits.csv`` anew: ``python refit.py configs.csv``, the table of ML.ENERGY configurations."""

import sys
from pathlib import Path

from moo_infer_energy.fits import refit, table


def main(source: str) -> None:
    """Fit what `source` holds, and write the file."""
    fits = Path(__file__).with_name("moo_infer_energy").joinpath("fits.csv")
    fits.write_text(table(refit(source)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
