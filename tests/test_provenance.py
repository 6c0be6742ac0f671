"""Records of extractors: how they are stored, named, and held against what a model was trained on."""

import logging

import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.provenance import (
    check_extractor,
    extractor_name,
    join_extractors,
    parse_provenance,
    training_extractor,
    write_provenance,
)

OLD, NEW = ({"extractor": "holistic", "extractor_version": version} for version in ("0.9", "0.10"))
OTHER = {"extractor": "openpose", "source": "b.mp4"}


def warnings_of(caplog):
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


def test_records_come_back():
    record = {"extractor": "holistic", "options": {"fps": None}, "source": "señas.mp4"}
    text = write_provenance(record)
    assert parse_provenance(text) == record and "señas" in text
    assert text == write_provenance(dict(reversed(record.items())))
    assert parse_provenance("[1]") is None and parse_provenance("by hand") is None


def test_names_hold_the_version():
    assert (extractor_name(NEW), extractor_name(OTHER)) == ("holistic 0.10", "openpose")
    assert extractor_name(None) is None and extractor_name({"source": "a.mp4"}) is None
    assert join_extractors(["openpose", None, "holistic 0.9", "openpose"]) == "holistic 0.9, openpose"
    assert join_extractors([None]) is None


def test_training_clips_of_one_extractor(caplog):
    assert training_extractor([NEW, NEW]) == "holistic 0.10"
    assert training_extractor([None, None]) is None and training_extractor([]) is None
    assert warnings_of(caplog) == []


def test_training_clips_of_several_extractors_are_counted(caplog):
    assert training_extractor([NEW, OLD, NEW, None]) == "holistic 0.10, holistic 0.9"
    assert warnings_of(caplog) == [
        "the training clips come from different extractors: holistic 0.10 (2 of 4 clips), holistic 0.9 (1 of 4 clips), "
        "not known (1 of 4 clips)"
    ]


@pytest.mark.parametrize(
    ("trained", "found"),
    [
        ("holistic 0.10", NEW),
        ("holistic 0.10, openpose", [OTHER, NEW]),
        ("holistic 0.10", None),
        ("holistic 0.10", [None, NEW]),
        (None, NEW),
        (None, None),
        ("holistic 0.10", []),
        ("holistic 0.10", {"extractor": "holistic"}),  # imported: no version
        ("holistic", NEW),
    ],
)
def test_nothing_is_said_of_what_fits_or_is_not_known(caplog, trained, found):
    check_extractor(trained, found)
    assert warnings_of(caplog) == []


def test_one_warning_names_both_and_counts_the_clips(caplog):
    check_extractor("holistic 0.10", [NEW, OLD, OTHER, OLD], where="D/pose")
    (said,) = warnings_of(caplog)
    assert said.startswith(
        "expected clips of the extractor holistic 0.10 in D/pose, found holistic 0.9 (2 of 4 clips), openpose (1 of"
    )
    assert "--strict makes this an error" in said


def test_one_clip_is_not_counted(caplog):
    check_extractor("holistic 0.10", OLD, where="clip.mp4")
    assert "in clip.mp4, found holistic 0.9: the model" in warnings_of(caplog)[0]


def test_layout_and_normalisation_differ(caplog):
    found = [{**NEW, "pose_layout": "body_135", "pose_norm": "other"}, {**NEW, "pose_layout": "mediapipe_pose"}]
    check_extractor("holistic 0.10", found, pose_layout="mediapipe_pose", pose_norm="signing_space_v1")
    (said,) = warnings_of(caplog)
    assert "expected the layout mediapipe_pose in the input, found body_135 (1 of 2 clips)" in said
    assert "expected the normalisation signing_space_v1 in the input, found other (1 of 2 clips)" in said
    caplog.clear()
    check_extractor("holistic 0.10", found)  # a model that does not say what it was trained on
    assert warnings_of(caplog) == []


def test_strict_takes_what_fits(caplog):
    check_extractor("holistic 0.10", [NEW, NEW], strict=True, pose_layout="mediapipe_pose")
    assert warnings_of(caplog) == []


@pytest.mark.parametrize(
    ("trained", "found", "message"),
    [
        ("holistic 0.10", OLD, "extractor holistic 0.10 in clip, found holistic 0.9; extract .* leave --strict out"),
        (
            "holistic 0.10",
            [NEW, None],
            "clips that name their extractor and its version in clip, found 1 of 2 clips that do not",
        ),
        ("holistic 0.10", [NEW, {"extractor": "holistic"}], "its version in clip, found 1 of 2 clips that do not"),
        ("holistic 0.10", [], "clips that name their extractor and its version in clip, found none that does"),
        (None, NEW, "a model that names the extractor of its training clips, found one that does not"),
    ],
)
def test_strict_refuses_what_differs_or_is_not_known(trained, found, message):
    with pytest.raises(ConfigurationError, match=message):
        check_extractor(trained, found, strict=True, where="clip")
