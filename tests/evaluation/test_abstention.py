"""Risk, coverage and thresholds, on clips that are counted by hand."""

import numpy as np
import pytest

from hf_slt.errors import ConfigurationError
from hf_slt.evaluation.abstention import (
    OperatingPoint,
    area_under_risk_coverage,
    choose_threshold,
    risk_coverage_curve,
)

SCORES = [-0.5, -0.1, -0.5, -2.0]
RISKS = [10.0, 0.0, 20.0, 50.0]


def test_a_threshold_answers_all_clips_of_its_score():
    assert risk_coverage_curve(SCORES, RISKS) == [
        OperatingPoint(-0.1, 0.25, 0.0),
        OperatingPoint(-0.5, 0.75, 10.0),
        OperatingPoint(-2.0, 1.0, 20.0),
    ]


def test_the_area_is_the_mean_risk_over_coverages_and_knows_no_order_of_equal_scores():
    # risks of 1, 2, 3, 4 clips: 0, 15/2, 30/3, 80/4
    assert area_under_risk_coverage(SCORES, RISKS) == pytest.approx((0 + 7.5 + 10 + 20) / 4)
    other = [SCORES[i] for i in (2, 1, 0, 3)], [RISKS[i] for i in (0, 1, 2, 3)]
    assert area_under_risk_coverage(*other) == pytest.approx(9.375)


def test_scores_that_know_nothing_have_the_mean_risk_as_area():
    assert area_under_risk_coverage([1, 1, 1], [0.0, 30.0, 60.0]) == pytest.approx(30)


@pytest.mark.parametrize(
    ("target", "threshold", "coverage", "risk"),
    [(0, -0.1, 0.25, 0.0), (9.9, -0.1, 0.25, 0.0), (10, -0.5, 0.75, 10.0), (100, -2.0, 1.0, 20.0)],
)
def test_the_threshold_that_answers_most_within_the_risk(target, threshold, coverage, risk):
    assert choose_threshold(SCORES, RISKS, target) == OperatingPoint(threshold, coverage, risk)


def test_a_lower_threshold_is_taken_where_the_risk_falls_again():
    assert choose_threshold([3, 2, 1], [50.0, 0.0, 10.0], 20) == OperatingPoint(1.0, 1.0, 20.0)


def test_a_risk_that_no_threshold_reaches_names_the_lowest():
    with pytest.raises(ConfigurationError, match=r"the 2 calibration clips, found 3; the lowest is 5, of 50\.0% of"):
        choose_threshold([-1, -2], [5.0, 9.0], 3)


@pytest.mark.parametrize(
    ("scores", "risks", "message"),
    [
        ([], [], r"at least one clip, found shapes \(0,\) and \(0,\)"),
        ([1.0], [1.0, 2.0], r"found shapes \(1,\) and \(2,\)"),
        ([np.nan], [1.0], "found NaN or infinity"),
        ([1.0], [np.inf], "found NaN or infinity"),
    ],
)
def test_what_no_curve_can_be_drawn_of(scores, risks, message):
    for function in (risk_coverage_curve, area_under_risk_coverage):
        with pytest.raises(ConfigurationError, match=message):
            function(scores, risks)
