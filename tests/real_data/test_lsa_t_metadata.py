"""The real metadata of LSA-T, with all its warts."""

import csv

import pytest

from hf_slt.data.metadata import load_metadata, read_metadata

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def path(real_data_dir):
    return real_data_dir / "text" / "lsa_t_meta.csv"


@pytest.fixture(scope="module")
def frame(path):
    return read_metadata(path)


def test_every_row_is_read_without_a_problem_or_a_warning(path, frame):
    metadata = load_metadata(path)
    assert (metadata.findings, metadata.warnings) == ([], [])
    assert len(frame) == 8459
    assert frame["video_id"].nunique() == 8459
    assert (frame["video"].nunique(), frame["video"].isna().sum()) == (64, 47)


def test_texts_are_whole(path, frame):
    with path.open(encoding="utf-8", newline="") as file:
        raw = {row["id"]: row["text"].strip() for row in csv.DictReader(file, delimiter=";")}
    assert dict(zip(frame["video_id"], frame["text"], strict=True)) == raw
    assert frame["text"].str.contains("[áéíóúñ]").sum() == 6413
    assert frame["text"].str.contains('"').sum() == 583
    row = frame.set_index("video_id").loc["noticias-en-lengua-de-senas-argentina-resumen-semanal-29112020_2"]
    assert row["text"].startswith("mientras trabajábamos para brindarte toda la información en nuestro primer")


def test_broken_times_are_repaired(frame):
    known = frame.dropna(subset=["start", "end", "duration"])
    assert len(known) == 8459 - 47
    ratio = known["duration"] / (known["end"] - known["start"])
    assert ((ratio > 0.2) & (ratio <= 2)).sum() == len(known) - 1  # one clip has an intact duration of twice its span
    assert known["end"].max() == pytest.approx(4078.09)
    row = frame.set_index("video_id").loc["noticias-en-lengua-de-senas-argentina-resumen-semanal-29112020_8"]
    assert (row["start"], row["end"]) == (37.18, 43.54)
    assert row["duration"] == pytest.approx(6.36)
