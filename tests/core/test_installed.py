import itertools
import os
import shutil
from importlib import metadata

import pytest

from moo_infer.core import installed
from moo_infer.core.installed import installed_entries, packages_with


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install, or remove, a package with an entry point, as pip does, into a folder of the path of modules."""
    monkeypatch.syspath_prepend(tmp_path)
    times = itertools.count(1)

    def write(name, there=True):
        folder = tmp_path / f"{name}-1.0.dist-info"
        if there:
            folder.mkdir()
            (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            (folder / "entry_points.txt").write_text(f"[of_a_test]\n{name} = {name}\n")
            (folder / "top_level.txt").write_text(f"module_of_{name}\n")
        else:
            shutil.rmtree(folder)
        os.utime(tmp_path, (next(times),) * 2)  # the clock of a file system may be too coarse to tell two changes apart
        return tmp_path

    return write


def names():
    return [entry.name for entry in installed_entries("of_a_test")]


def test_what_is_installed_or_removed_later_is_seen(install):
    assert names() == []
    install("second")
    assert names() == ["second"]
    install("first")
    assert names() == ["first", "second"]
    assert [*packages_with("module_of_second")] == ["second"]
    install("second", there=False)
    assert names() == ["first"]
    assert not packages_with("module_of_second")


def test_a_folder_that_is_put_on_the_path_is_seen(install, monkeypatch):
    folder = install("elsewhere")
    with monkeypatch.context() as context:
        context.setattr("sys.path", [entry for entry in installed.sys.path if entry != str(folder)])
        assert names() == []
    assert names() == ["elsewhere"]


def test_packages_are_looked_through_once(install, monkeypatch):
    install("one")
    looked = []
    monkeypatch.setattr(
        installed, "entry_points", lambda group: looked.append(group) or metadata.entry_points(group=group)
    )
    assert names() == names() == ["one"]
    assert looked == ["of_a_test"]
