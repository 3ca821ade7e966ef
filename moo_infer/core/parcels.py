"""Objects on their way to another process, with the packages that they need there."""

import io
import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .errors import MooInferError
from .installed import packages_with
from .plugin_files import file_of, plugin_file
from .version import __version__

__all__ = ["Parcel", "packed"]


@dataclass(frozen=True)
class Parcel:
    """A pickled object.

    Args:
        content: the pickle.
        needs: the version of each package whose classes and functions are in it; "" where it has none.
        made_by: the version of this package.
    """

    content: bytes = field(repr=False)
    needs: tuple[tuple[str, str], ...] = ()
    made_by: str = __version__

    def unpacked(self) -> Any:
        """Return the object.

        Raises:
            MooInferError: where a package that it needs is missing here, or is there in another version.
        """
        if self.made_by != __version__:
            raise MooInferError(f"a worker has moo-infer {__version__}, and the run is of {self.made_by}")
        for package, wanted in self.needs:
            try:
                here = version(package)
            except PackageNotFoundError:
                raise MooInferError(f"a worker lacks {package} {wanted}, which the run needs") from None
            if here != wanted:
                raise MooInferError(f"a worker has {package} {here}, and the run is of {package} {wanted}")
        try:
            return _Unpickler(io.BytesIO(self.content)).load()
        except (ImportError, AttributeError) as error:
            raise MooInferError(f"a worker lacks what the run needs: {error}") from error


def packed(thing: object, /) -> Parcel:
    """Pickle an object.

    Raises:
        MooInferError: for what does not pickle, such as a lambda; it names the part in which that is.

    >>> packed({"k": 8}).unpacked()
    {'k': 8}
    """
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    try:
        pickler.dump(thing)
    except Exception as error:  # whatever a foreign part raises
        name = next((name for name, part in reversed(pickler.named) if not _pickles(part)), None)
        what = f"{name!r}" if name else type(thing).__name__
        raise MooInferError(
            f"{what} cannot be sent to another process, as it does not pickle: {type(error).__name__}: {error}; make "
            "it of classes and functions that a module has, or take one process"
        ) from error
    return Parcel(buffer.getvalue(), tuple(sorted(_packages(pickler.modules).items())))


class _Pickler(pickle.Pickler):
    """Notes whose classes and functions it meets, and the objects that have a name."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.modules: set[str] = set()
        self.named: list[tuple[str, object]] = []

    def reducer_override(self, obj: Any) -> Any:
        name = getattr(obj, "name", None)
        if isinstance(name, str) and not isinstance(obj, type):
            self.named.append((name, obj))
        module = getattr(obj, "__module__", None)
        if isinstance(module, str):
            self.modules.add(module.partition(".")[0])
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    """Loads plugins of single files where they are not loaded yet."""

    def find_class(self, module: str, name: str, /) -> Any:
        path = file_of(module)
        if path and module not in sys.modules:
            plugin_file(path)
        return super().find_class(module, name)


def _pickles(thing: object) -> bool:
    try:
        pickle.dumps(thing)
    except Exception:
        return False
    return True


def _packages(modules: set[str]) -> Mapping[str, str]:
    """The versions of the installed packages that bring these modules, but for this one and Python's own."""
    foreign = modules - sys.stdlib_module_names - {__name__.partition(".")[0]}
    packages = {package for module in foreign for package in packages_with(module)[:1]}
    return {package: version(package) for package in packages}
