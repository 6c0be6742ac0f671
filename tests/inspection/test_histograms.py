"""Histograms: every value is counted once, in bins that a person would choose."""

import math
import re

import pytest

from hf_slt.inspection.histograms import Bin, bin_shares, bin_values, histogram_svg, nice_step


def test_each_value_is_in_the_bin_that_holds_it():
    values = [13, 13, 14, 20, 41]
    bins = bin_values(values)
    assert sum(one.count for one in bins) == len(values)
    for one in bins:
        assert one.count == sum(one.low <= value < one.high for value in values)
    assert {one.high - one.low for one in bins} == {2}


def test_one_far_value_does_not_hide_the_others():
    bins = bin_values([*range(10, 30), *[20] * 300, 100_000])
    assert bins[-1].high == math.inf and bins[-1].count == 1
    assert bins[-1].low < 40 and len(bins) > 10
    assert sum(one.count for one in bins) == 321


@pytest.mark.parametrize(
    ("values", "bins"), [([], []), ([math.nan], []), ([7], [Bin(7, 8, 1)]), ([0, 0], [Bin(0, 1, 2)])]
)
def test_few_values(values, bins):
    assert bin_values(values) == bins


@pytest.mark.parametrize(
    ("least", "whole", "step"),
    [(0.3, True, 1), (1.1, True, 2), (3, True, 5), (51, True, 100), (0.03, False, 0.05), (0, False, 1)],
)
def test_steps_are_one_two_or_five(least, whole, step):
    assert nice_step(least, whole) == pytest.approx(step)


def test_shares_are_in_ten_bins_and_all_is_in_the_last():
    counts = [one.count for one in bin_shares([0, 0.05, 0.3, 0.999, 1, 1])]
    assert counts == [2, 0, 0, 1, 0, 0, 0, 0, 0, 3]


def test_the_picture_says_its_numbers_and_quotes_what_it_is_given():
    svg = histogram_svg([Bin(0, 5, 2), Bin(5, math.inf, 4)], '<b> "x"', "frames")
    assert svg.count("<rect") == 2
    assert "<title>0 to below 5 frames: 2</title>" in svg and "<title>5 frames and more: 4</title>" in svg
    assert 'aria-label="&lt;b&gt; &quot;x&quot;; most, 4, at 5 frames and more"' in svg
    heights = [float(height) for height in re.findall(r'<rect [^>]*height="([0-9.]+)"', svg)]
    assert heights[0] == pytest.approx(heights[1] / 2, abs=0.1)


def test_no_bars_are_a_picture_too():
    assert 'aria-label="lengths: none"' in histogram_svg([], "lengths")
