"""Calibration: bins and error by hand."""

import numpy as np
import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.calibration import ReliabilityBin, expected_calibration_error, reliability_bins


def test_bins_hold_their_upper_end_and_the_first_one_zero():
    bins = reliability_bins([0.0, 0.25, 0.5, 0.51, 1.0], [1, 0, 1, 1, 0], bins=2)
    assert bins[0] == ReliabilityBin(0.0, 0.5, 3, 0.25, pytest.approx(2 / 3))
    assert bins[1] == ReliabilityBin(0.5, 1.0, 2, pytest.approx(0.755), 0.5)


def test_an_empty_bin_is_there_and_has_no_mean():
    bins = reliability_bins([0.9], [True], bins=10)
    assert [item.count for item in bins] == [0] * 8 + [1] + [0]
    assert bins[0] == ReliabilityBin(0.0, 0.1, 0, None, None)


def test_error_by_hand():
    # (0, 0.5]: confidence 0.4, accuracy 0.5; (0.5, 1]: confidence 0.8, accuracy 1/3
    confidence, correct = [0.3, 0.5, 0.7, 0.8, 0.9], [True, False, True, False, False]
    assert expected_calibration_error(confidence, correct, bins=2) == pytest.approx(2 / 5 * 0.1 + 3 / 5 * (0.8 - 1 / 3))


def test_over_and_under_confidence_do_not_cancel_across_bins():
    assert expected_calibration_error([0.2, 0.8], [True, False], bins=2) == pytest.approx(0.8)
    assert expected_calibration_error([0.2, 0.8], [True, False], bins=1) == pytest.approx(0)


def test_perfect_and_worst():
    assert expected_calibration_error(np.ones(4), np.ones(4, bool)) == 0
    assert expected_calibration_error(np.ones(4), np.zeros(4, bool)) == 1


def test_a_calibrated_model_comes_near_zero():
    rng = np.random.default_rng(0)
    confidence = rng.random(100_000)
    assert expected_calibration_error(confidence, rng.random(100_000) < confidence) < 0.01


@pytest.mark.parametrize(
    ("confidence", "correct", "bins", "message"),
    [
        ([0.5], [True], 0, "at least one bin, found 0"),
        ([], [], 5, r"found shapes \(0,\) and \(0,\)"),
        ([0.5, 0.5], [True], 5, r"found shapes \(2,\) and \(1,\)"),
        ([0.5, 3.0], [True, True], 5, r"in \[0, 1\], found 0.5 to 3.0; .* not its logit"),
        ([0.5, float("nan")], [True, True], 5, r"in \[0, 1\], found nan"),
    ],
)
def test_bad_input_is_refused(confidence, correct, bins, message):
    with pytest.raises(ConfigurationError, match=message):
        expected_calibration_error(confidence, correct, bins)
