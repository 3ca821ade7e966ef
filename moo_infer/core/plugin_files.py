"""Plugins of single files, which are not packaged."""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from .errors import MooInferError

__all__ = ["file_of", "plugin_file"]

ENDING = ":py"  # of the names of their modules, in which a colon stands for a dot


def plugin_file(path: str | Path, /) -> ModuleType:
    """Load a plugin from one Python file, without packaging; give it to `Registry`.

    Pickles of its parts, and of reports with them, load where the file was loaded before by the same path.

    Args:
        path: a file that implements hooks, as the module of a package would.

    Raises:
        MooInferError: where there is no such file, it fails while it is loaded, or it implements no hook.

    >>> plugin_file("my.py")
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: plugin file 'my.py': must be an existing file whose name ends in .py
    """
    name = str(path)  # what it is called where plugins are listed
    imported = name.replace(".", ":")  # where pickle looks for its classes; a dot would lead into a package
    spec = spec_from_file_location(imported, name)
    if spec is None or spec.loader is None or not os.path.isfile(path):
        raise MooInferError(f"plugin file {name!r}: must be an existing file whose name ends in .py")
    module = module_from_spec(spec)
    sys.modules[imported] = module  # where dataclasses look their annotations up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a foreign file raises
        del sys.modules[imported]
        raise MooInferError(f"plugin file {name!r}: cannot be loaded: {type(error).__name__}: {error}") from error
    module.__name__ = name
    return module


def file_of(module: str, /) -> str | None:
    """Return the file of a plugin by the name under which it is imported; None for other modules.

    >>> file_of("examples/my:py"), file_of("numpy")
    ('examples/my.py', None)
    """
    return module.replace(":", ".") if module.endswith(ENDING) else None
