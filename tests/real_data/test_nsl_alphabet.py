"""The NSL alphabet: 477 real clips through the converter, the contract and the splitter."""

from collections import Counter

import numpy as np
import pytest

from hf_slt.data.gloss.clips import read_clip
from hf_slt.data.gloss.contract import GlossSplit, check_splits
from hf_slt.data.gloss.split_files import SplitOptions, write_splits
from hf_slt.data.gloss.table import ClipTableReader
from hf_slt.data.sources import convert_source

pytestmark = pytest.mark.real_data

BODY, LEFT, RIGHT, FACE = slice(0, 25), slice(25, 46), slice(46, 67), slice(67, 78)


@pytest.fixture(scope="module")
def corpus(real_data_dir, tmp_path_factory):
    output = tmp_path_factory.mktemp("corpora") / "nsl"
    return convert_source("nsl_alphabet", real_data_dir / "nsl_alphabet", output, show_progress=False)


def check(corpus, folder, cache_dir):
    names = sorted(path.stem for path in folder.iterdir() if path.suffix == ".csv")
    splits = [
        GlossSplit(name.replace("val", "validation"), corpus / "keypoints", folder / f"{name}.csv") for name in names
    ]
    tables = {"gloss_names": corpus / "glosses.csv", "cat_names": corpus / "categories.csv"}
    return check_splits(splits, width=156, num_gloss=49, num_cat=2, cache_dir=cache_dir, **tables)


def test_the_standard_split_keeps_the_contract(corpus, tmp_path):
    report = check(corpus, corpus / "splits" / "standard", tmp_path)
    assert report.problems == [] and report.warnings == []
    assert {name: len(rows) for name, rows in report.rows.items()} == {"train": 379, "test": 98}
    assert {row.signer for row in report.rows["test"]} == {"S5", "S14"}
    assert "NA" in report.gloss_names and report.cat_names == ["consonant", "vowel"]
    for rows in report.rows.values():
        assert set(Counter(row.gloss for row in rows)) == set(range(49))
    assert Counter(row.cat for row in report.rows["test"]) == {0: 72, 1: 26}


def test_each_signer_is_left_out_once(corpus, tmp_path):
    folders = sorted((corpus / "splits" / "loso").iterdir())
    sizes = {folder.name: len(check(corpus, folder, tmp_path).rows["test"]) for folder in folders}
    assert sizes == {"S1": 98, "S14": 49, "S2": 98, "S3": 183, "S5": 49}


def test_points_lie_in_the_picture(corpus, tmp_path):
    report = check(corpus, corpus / "splits" / "standard", tmp_path)
    reader = ClipTableReader(report.tables["train"])
    assert len(reader) == 477 and (reader.num_frames.min(), reader.num_frames.max()) == (13, 187)
    assert len(set(reader.digests)) == 477
    widths = []
    for row in range(len(reader)):
        clip = reader.clip(row)
        points, mask = clip.values.reshape(*clip.mask.shape, 2), clip.mask
        assert not mask[:, FACE].any() and mask[:, LEFT].any() | mask[:, RIGHT].any()
        hands = np.concatenate((points[:, LEFT][mask[:, LEFT]], points[:, RIGHT][mask[:, RIGHT]]))
        assert np.median(hands, axis=0).min() > -0.2 and np.median(hands, axis=0).max() < 1.3
        shoulders = points[mask[:, 11] & mask[:, 12]][:, [11, 12]]
        if len(shoulders):
            np.testing.assert_allclose(shoulders.mean(axis=1), 0.5, atol=2e-3)
            widths.append(np.median(shoulders[:, 0, 0] - shoulders[:, 1, 0]))
    # The signer's left is on the right; in the close-ups of one take of 13 clips the detector imagined bodies.
    assert len(widths) == 356 and sum(width < 0.06 for width in widths) == 12


def test_a_body_that_was_lost_is_missing(corpus):
    clip = read_clip(corpus / "keypoints" / "S3__S3_NSL_Vowel_Prepared_Camera_all__I.npz")
    seen = clip.mask[:, BODY].any(axis=1)
    assert seen.sum() == 4 and len(seen) == 41
    assert clip.aspect_ratio == pytest.approx(16 / 9)


def test_splits_of_train_by_signer(corpus, tmp_path):
    report = write_splits(
        corpus / "splits" / "standard" / "train.csv",
        tmp_path / "split",
        SplitOptions(ratios=(0.75, 0.25), group_by="signer"),
    )
    assert report["warnings"] == [] and len(report["splits"]["val"]["groups"]) == 1
    assert report["splits"]["val"]["clips"] == 98 and len(report["splits"]["val"]["classes"]) == 49
