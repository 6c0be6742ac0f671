"""Opening `.npz` and `.npy` files so that whatever is wrong with one becomes a `DataContractError` that says so."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from hf_slt.errors import DataContractError, Problem

_ZIP_LOCAL_HEADER = struct.Struct("<26xHH")  # name length and extra length close the 30 bytes before an entry's name


def data_error(where: str | Path, expected: str, found: str, fix: str) -> DataContractError:
    """Return an error that holds one problem.

    Args:
        where: File (and part of it) that the problem is in.
        expected: What the data contract asks for.
        found: What is there.
        fix: What to do.
    """
    return DataContractError([Problem(str(where), expected, found, fix)])


def describe(error: Exception) -> str:
    """Return an exception as one line: its type and the first line of its message."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    lines = text.strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def unreadable(path: str | Path, kind: str, error: Exception | str) -> DataContractError:
    """Return the error of a file that does not decode.

    Args:
        path: The file.
        kind: What it should be, for example `"npz file"`.
        error: What the decoder said.
    """
    found = describe(error) if isinstance(error, Exception) else error
    return data_error(path, f"a readable {kind}", found, "write the file again, or leave the clip out of the split")


class NpzReader:
    """The arrays of one `.npz` file, read on demand and never unpickled.

    Args:
        path: The file, for messages.
        arrays: What `numpy.load` returned.
    """

    def __init__(self, path: Path, arrays: np.lib.npyio.NpzFile):
        self.path = path
        self._arrays = arrays
        self.keys: list[str] = list(arrays.files)

    def read(self, key: str) -> np.ndarray:
        """Return one array.

        Raises:
            DataContractError: The array holds pickled objects, is damaged or is cut short.
        """
        try:
            return self._arrays[key]
        except Exception as error:  # zlib, zipfile and numpy raise a dozen types on damaged bytes
            raise _member_error(self.path, key, error) from error


def _member_error(path: Path, key: str, error: Exception) -> DataContractError:
    if "allow_pickle" in str(error):
        fix = "save plain arrays: np.savez(path, **{key: array.astype('float32')}); pickled objects are never loaded"
        return data_error(f"{path}, key '{key}'", "an array of numbers", "pickled Python objects", fix)
    return unreadable(f"{path}, key '{key}'", "array", error)


@contextmanager
def open_npz(path: str | Path) -> Iterator[NpzReader]:
    """Open a `.npz` file.

    Args:
        path: The file.

    Yields:
        Its arrays.

    Raises:
        DataContractError: The file is missing, is no zip archive, or is cut short.
    """
    path = Path(path)
    try:
        arrays = np.load(path, allow_pickle=False)
    except Exception as error:
        if "allow_pickle" in str(error):  # numpy takes every file that it does not recognise for a pickle
            error = ValueError(f"no zip archive, or one that was cut short ({path.stat().st_size} bytes)")
        raise unreadable(path, "npz file", error) from error
    if not isinstance(arrays, np.lib.npyio.NpzFile):
        raise unreadable(path, "npz file", "a bare .npy array under the name .npz")
    with arrays:
        yield NpzReader(path, arrays)


def read_npy(path: str | Path) -> np.ndarray:
    """Map a `.npy` file into memory, read-only.

    Raises:
        DataContractError: The file is missing, damaged, cut short, or holds pickled objects.
    """
    path = Path(path)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        if "Python objects" in str(error):  # what memory mapping says of an object array
            raise _member_error(path, "(array)", ValueError("allow_pickle")) from error
        if "allow_pickle" in str(error):
            error = ValueError("no .npy header at the start of the file")
        raise unreadable(path, "npy file", error) from error


def map_stored(path: str | Path, key: str) -> np.ndarray | None:
    """Map one array of an uncompressed `.npz` into memory, so that a few frames cost a few pages.

    Args:
        path: The file, as `numpy.savez` writes it.
        key: Name of the array.

    Returns:
        The array, read-only; None where it cannot be mapped (compressed, or an unusual header) and has to be read.
    """
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        entry = archive.getinfo(f"{key}.npy")
        if entry.compress_type != zipfile.ZIP_STORED:
            return None
        file.seek(entry.header_offset)
        name_length, extra_length = _ZIP_LOCAL_HEADER.unpack(file.read(_ZIP_LOCAL_HEADER.size))
        file.seek(name_length + extra_length, 1)
        if np.lib.format.read_magic(file) != (1, 0):
            return None
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.hasobject:
            return None
        return np.memmap(path, dtype, "r", file.tell(), shape, "F" if fortran_order else "C")
