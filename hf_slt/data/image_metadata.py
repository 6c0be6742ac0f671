"""Image files without what cameras and programs wrote into them: names, places, times, previews, comments.

Only the container is rewritten: the compressed pixels stay as they are, byte by byte, and decode to the same values.
JPEG: ITU-T T.81, annex B (segments); PNG: ISO/IEC 15948, clause 5 (chunks).
"""

from __future__ import annotations

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_SOS, _EOI, _COM = 0xDA, 0xD9, 0xFE
_APP = range(0xE0, 0xF0)
# Segments of applications that say how colours are stored, by their number and first bytes.
_NEEDED_APPS = {0xE0: b"JFIF\x00", 0xEE: b"Adobe"}
_RESTARTS = range(0xD0, 0xD8)
_CHUNK_FRAME = 12  # bytes of a PNG chunk around its data: length, type, checksum


def without_metadata(data: bytes) -> bytes | None:
    """Return an image file without metadata.

    Args:
        data: The bytes of a JPEG or PNG file.

    Returns:
        The same picture; None if the file is built in another way than the formats say.
    """
    try:
        if data.startswith(_JPEG):
            return _plain_jpeg(data)
        return _plain_png(data) if data.startswith(_PNG) else None
    except IndexError:  # it ends too early
        return None


def _plain_jpeg(data: bytes) -> bytes | None:
    kept, position = [_JPEG], len(_JPEG)
    while True:
        while data[position] == data[position + 1] == 0xFF:  # bytes that only fill
            position += 1
        if data[position] != 0xFF:
            return None
        marker, start = data[position + 1], position
        if marker == _EOI:  # what follows is no part of the picture: previews, other pictures
            return b"".join([*kept, b"\xff\xd9"])
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _SOS:
            position = _end_of_scan(data, position)
        needed = data.startswith(_NEEDED_APPS.get(marker, b"none"), start + 4) if marker in _APP else marker != _COM
        if needed:
            kept.append(data[start:position])


def _end_of_scan(data: bytes, position: int) -> int:
    """Return where the compressed values from a position on end: at the next marker that is none of theirs."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0:
            raise IndexError("no end of the picture")
        if data[position + 1] not in (0x00, 0xFF, *_RESTARTS):
            return position
        position += 1 if data[position + 1] == 0xFF else 2


def _plain_png(data: bytes) -> bytes | None:
    kept, position = [_PNG], len(_PNG)
    while position < len(data):
        size, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        chunk = data[position : position + size + _CHUNK_FRAME]
        if len(chunk) != size + _CHUNK_FRAME:
            return None
        if kind[:1].isupper() or kind == b"tRNS":  # those that a picture cannot be decoded without
            kept.append(chunk)
        if kind == b"IEND":
            return b"".join(kept)
        position += len(chunk)
    return None
