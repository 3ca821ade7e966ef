"""The contract of log readers."""

from pathlib import Path

import pytest

from ..core.errors import MooInferError
from ..core.files import HEAD, head
from ..interfaces import LogReader
from ..quantities.samples import COLUMNS, FINGERPRINT
from ..read.labels import named_as_label
from ..read.logs import read_log
from .contract import Contract, check_part

__all__ = ["LogReaderContract"]


class LogReaderContract(Contract):
    """The contract of log readers.

    Attributes:
        recognising: a file is known by its content, so that nobody has to name the format.
        truncating: a file of which the second half is missing is noticed.
    """

    fixture = "reader"
    recognising = True
    truncating = True

    @pytest.fixture
    def reader(self) -> LogReader:
        """Return the log reader under test."""
        raise NotImplementedError("list `instances`, or give the fixture 'reader'")

    @pytest.fixture
    def file(self) -> Path:
        """Return a file that the reader can read."""
        raise NotImplementedError("give the fixture 'file'")

    def test_is_a_part(self, reader: LogReader) -> None:
        """A name that people can type, and fields that nobody changes."""
        check_part(reader)

    def test_gives_the_neutral_table(self, reader: LogReader, file: Path) -> None:
        """Columns of the neutral table and labels alone, whose values pass all checks; the same when read again."""
        first, second = (read_log(file, format=reader) for _ in range(2))
        assert len(first.frame) > 0, "the reader gives no row of its own file"
        assert first.frame.equals(second.frame), "the same file, read again, must give the same rows"
        rows = reader.read(file)
        if hasattr(rows, "collect_schema"):
            names = {*rows.collect_schema().names()}
        else:
            names = {str(name) for row in rows if not isinstance(row, MooInferError) for name in row}
        strange = {name for name in names - {*COLUMNS, FINGERPRINT} if not named_as_label(name)}
        assert not strange, f"no columns of the neutral table: {sorted(strange)}"

    def test_knows_its_files(self, reader: LogReader, file: Path) -> None:
        """By their first bytes; other files are not taken for its own."""
        diary = b"Dear diary,\n\ntoday nothing was measured.\n"
        assert not reader.recognises(diary, file.with_name("diary.txt")), "takes a text of another kind for its own"
        if not self.recognising:
            pytest.skip("recognising is not promised")
        start = head(file)
        assert reader.recognises(start, file), (
            "does not recognise its own file. If its files cannot be told, set recognising = False in the contract"
        )
        assert len(start) < HEAD or reader.recognises(start[:4096], file), "4096 bytes must do"

    def test_notices_what_is_cut_off(self, reader: LogReader, file: Path, tmp_path: Path) -> None:
        """Half a file gives an error, not half the samples."""
        if not self.truncating:
            pytest.skip("truncating is not promised")
        whole = file.read_bytes()
        half = tmp_path / file.name
        half.write_bytes(whole[: len(whole) // 2])
        try:
            log = read_log(half, format=reader)
        except MooInferError:
            return
        pytest.fail(
            f"half of the file is read as if it were whole ({len(log.frame)} rows): raise MooInferError where its end "
            "is missing. If that cannot be noticed, set truncating = False in the contract"
        )
