"""Numbers that a spreadsheet broke."""

import pytest

from hf_slt.data.numbers import parse_number, repair_times


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("6.29", 6.29),
        ("6,29", 6.29),
        ("6.299.999.999", 6.299999999),
        ("6.359.999.999.999.990", 6.35999999999999),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("1.234.567,5", 1234567.5),
        ("120", 120.0),
        (" 25 ", 25.0),
        ("-3,5", -3.5),
        ("1e-3", 0.001),
        (".5", 0.5),
    ],
)
def test_numbers_of_any_locale(cell, number):
    assert parse_number(cell) == pytest.approx(number, rel=1e-12)


@pytest.mark.parametrize("cell", ["", None, "NA", "nan", "inf", "1e999", "abc", "1,2.3,4", "1.2.x", "--1", "0:03", "."])
def test_no_number(cell):
    assert parse_number(cell) is None


@pytest.mark.parametrize(
    ("cells", "times"),
    [
        (("3.9", "14.64", "9.698"), (3.9, 14.64, 9.698)),
        (("37.18", "43.54", "6.359.999.999.999.990"), (37.18, 43.54, 6.36)),
        (("76.81", "82.66", "472.999.999.999.999"), (76.81, 82.66, 4.73)),
        (("82.84", "84.75", "19.099.999.999.999.900"), (82.84, 84.75, 1.91)),
        (("1329.87", "1338.78", "72.800.000.000.002"), (1329.87, 1338.78, 7.28)),
        (("16.532.999.999.999.900", "168.18", "28.500.000.000.000.200"), (165.33, 168.18, 2.85)),
        (("58.39", "7.421.000.000.000.000", "1.243.000.000.000.000"), (58.39, 74.21, 12.43)),
        (("1.001.233", "1.020.686", "17.851.999.999.999.900"), (1001.233, 1020.686, 17.852)),
        (("1255.52", "1.264.363", "9.242.999.999.999.930"), (1255.52, 1264.363, 9.243)),
    ],
)
def test_times_of_lsa_t_get_their_decimal_point_back(cells, times):
    assert repair_times(*cells) == pytest.approx(times, rel=1e-6)


@pytest.mark.parametrize(
    ("cells", "times"),
    [
        (("", "", "6.299.999.999"), (None, None, 6.299999999)),
        (("16.532.999", None, "2.5"), (16.532999, None, 2.5)),
        (("", "", ""), (None, None, None)),
    ],
)
def test_without_the_other_times_the_first_group_is_the_integer_part(cells, times):
    assert repair_times(*cells) == times
