"""The packages of live calls, which not everybody has."""

from importlib import import_module

from ...core.errors import MooInferError

__all__ = ["refuse_without_packages"]


def refuse_without_packages() -> None:
    """Raise MooInferError without one of the packages of live calls (extra ``live``)."""
    for name in ("httpx2", "openai"):
        try:
            import_module(name)
        except ImportError as error:
            raise MooInferError(f"live calls need {error.name}: pip install 'moo-infer[live]'") from None
