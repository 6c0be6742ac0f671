"""The memory-mapped table: what it holds, when it is built again, how fast it is."""

import os
import pickle
import time

import numpy as np
import pytest
from gloss_factories import make_clip, write_gloss_clip

from hf_slt.data.gloss import table as table_module
from hf_slt.data.gloss.clips import GlossClip, read_clip
from hf_slt.data.gloss.table import ClipTableReader, build_clip_table, default_cache_dir
from hf_slt.errors import ConfigurationError, DataContractError

FILES = ["b", "a", "sub/c", "d.e"]


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for i, file in enumerate(FILES):
        path = tmp_path / "clips" / f"{file}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_gloss_clip(path, *make_clip(rng, i, 4, width=20))
    return tmp_path / "clips"


@pytest.fixture
def build(folder, tmp_path):
    return lambda files=FILES, **options: build_clip_table(folder, files, cache_dir=tmp_path / "cache", **options)


def assert_same(clip: GlossClip, other: GlossClip, atol: float = 0):
    np.testing.assert_allclose(clip.values, other.values, rtol=0, atol=atol)
    np.testing.assert_array_equal(clip.mask, other.mask)
    assert clip.values.dtype == np.float32 and clip.mask.dtype == bool
    assert clip.aspect_ratio == pytest.approx(other.aspect_ratio)


@pytest.mark.parametrize("dtype, atol", [("float32", 0), ("float16", 5e-4)])
@pytest.mark.parametrize("batch_bytes", [1, 10**9])
def test_clips_of_a_table_are_those_of_the_files(dtype, atol, batch_bytes, folder, build, monkeypatch):
    monkeypatch.setattr(table_module, "_BATCH_BYTES", batch_bytes)
    table = build(dtype=dtype)
    reader = ClipTableReader(table)
    assert table["file"] == reader.files == sorted(FILES) and len(reader) == 4
    assert len(table.data.column("values").chunks) == (5 if batch_bytes == 1 else 1)
    for row, file in enumerate(reader.files):
        assert reader.position(file) == row and file in reader
        assert_same(reader.clip(row), read_clip(folder / f"{file}.npz"), atol)
        assert len(reader.clip(row).values) == reader.num_frames[row]
    assert reader.widths.tolist() == [20] * 4 and "e" not in reader


def test_features_have_no_mask(folder, build):
    for i, file in enumerate(FILES):
        write_gloss_clip(folder / f"{file}.npz", np.full((i + 1, 3), i, np.float32), None, "features")
    reader = ClipTableReader(build(kind="features"))
    clip = reader.clip(reader.position("d.e"))
    assert clip.mask is None and clip.values.tolist() == [[3.0] * 3] * 4


def test_clips_are_the_mapped_file_itself(build):
    table = build()
    clip = ClipTableReader(table).clip(0)
    assert not clip.values.flags.writeable and not clip.mask.flags.writeable
    assert clip.values.base is not None and table.cache_files[0]["filename"].endswith(".arrow")
    with pytest.raises(ValueError, match="read-only"):
        clip.values[0] = 0


def test_a_reader_travels_as_a_path(build):
    reader = ClipTableReader(build())
    sent = pickle.dumps(reader)
    assert len(sent) < 5000
    assert_same(pickle.loads(sent).clip(1), reader.clip(1))


def test_files_are_read_once(build, monkeypatch):
    first = build()
    monkeypatch.setattr(table_module, "load_clip", lambda *_: pytest.fail("read again"))
    again = build(FILES[::-1])
    assert again.cache_files == first.cache_files and again["digest"] == first["digest"]


def test_a_changed_file_other_arguments_and_other_names_build_another_table(folder, build):
    def name(**options):
        return build(**options).cache_files[0]["filename"]

    names = {name(), name(dtype="float16"), name(files=FILES[:2])}
    os.utime(folder / "a.npz", ns=(1, 1))
    names.add(name())
    write_gloss_clip(folder / "a.npz", np.ones((2, 20), np.float32), np.ones((2, 10)))
    names.add(name())
    assert len(names) == 5
    reader = ClipTableReader(build())
    assert reader.num_frames[reader.position("a")] == 2


def test_a_damaged_table_is_written_again(build, caplog):
    path = build().cache_files[0]["filename"]
    for content in (b"", b"nonsense" * 100, open(path, "rb").read()[:500]):
        with open(path, "wb") as file:
            file.write(content)
        assert len(build()) == 4
        assert "is written again" in caplog.text
        caplog.clear()


def test_all_problems_are_raised_and_nothing_is_kept(folder, build, tmp_path):
    (folder / "a.npz").write_bytes(b"no zip")
    np.savez(folder / "d.e.npz", Y=np.ones(3))
    (folder / "b.npz").unlink()
    with pytest.raises(DataContractError, match=r"3 problems(.|\n)*a.npz(.|\n)*b.npz(.|\n)*d.e.npz") as caught:
        build()
    assert len(caught.value.problems) == 3
    assert list((tmp_path / "cache").iterdir()) == []


def test_float16_takes_what_fits(folder, build):
    write_gloss_clip(folder / "a.npz", np.full((2, 20), 7e4, np.float32), np.ones((2, 10)))
    assert ClipTableReader(build()).clip(0).values[0, 0] == 7e4
    with pytest.raises(DataContractError, match="up to 65504 for float16"):
        build(dtype="float16")


def test_digests_tell_the_content(folder, build):
    clip = read_clip(folder / "a.npz")
    write_gloss_clip(folder / "b.npz", clip.values, clip.mask)
    np.savez_compressed(folder / "d.e.npz", X=clip.values.astype(np.float64), mask=clip.mask)
    digests = dict(zip(*(build()[name] for name in ("file", "digest")), strict=True))
    assert digests["a"] == digests["b"] == digests["d.e"] != digests["sub/c"]


def test_wrong_arguments(build, folder, tmp_path):
    with pytest.raises(ConfigurationError, match=r"\['float32', 'float16'\], found 'int8'"):
        build(dtype="int8")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="another one with --cache-dir"):
        build_clip_table(folder, FILES, cache_dir=tmp_path / "file" / "below")


def test_default_place_is_that_of_datasets(monkeypatch, tmp_path):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    assert default_cache_dir() == tmp_path / "hf_slt_gloss"


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_reading_is_many_times_faster_than_from_npz(dtype, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(40):
        write_gloss_clip(tmp_path / f"{i}.npz", *make_clip(rng, i, 40, frames=100))
    reader = ClipTableReader(build_clip_table(tmp_path, list(map(str, range(40))), cache_dir=tmp_path, dtype=dtype))

    def read_npz(i):
        with np.load(tmp_path / f"{reader.files[i]}.npz") as arrays:
            return arrays["X"], arrays["mask"]

    def seconds(read):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            for i in range(40):
                read(i)
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(read_npz) > 10 * seconds(reader.clip)  # 25 to 200 on an idle machine
