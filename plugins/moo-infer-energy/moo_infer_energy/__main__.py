"""``python -m moo_infer_energy [NAME ...]``: the fits, or the line of YAML for each whose name contains one of NAME."""

import sys

from .fits import SOURCE, fits


def main(names: list[str]) -> int:
    """Print to standard output; return the exit code, 2 where nothing is called like that."""
    if not names:
        for name, fit in fits().items():
            sys.stdout.write(f"{name}\n    {fit}\n    a = {fit.a:g} J per token, b = {fit.b:g} J per step\n")
        sys.stdout.write(f"{len(fits())} fits, {SOURCE}\n")
        return 0
    for wanted in names:
        matches = [fit for name, fit in fits().items() if wanted.lower() in name]
        if not matches:
            sys.stderr.write(f"moo_infer_energy: no fit is called {wanted!r}; without a name all are listed\n")
            return 2
        for fit in matches:
            sys.stdout.write(f"# {fit}\n{fit.yaml}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
