"""Tiny charts draw where they should."""

import pytest
from bs4 import BeautifulSoup

from kdfair_book.charts.tiny import Interval, intervals_svg, round_ticks


def drawn(*rows):
    svg = intervals_svg(list(rows), unit="points", says="A sentence.")
    return BeautifulSoup(svg, "html.parser").find("svg")


def test_each_dot_lies_in_its_interval_and_inside_the_picture():
    svg = drawn(Interval("one", 2.0, 1.0, 3.0), Interval("two", -0.5, -1.5, 0.5))
    width = float(svg["viewbox"].split()[2])
    lines = [line for line in svg.find_all("line") if line.get("stroke-width") == "2"]
    dots = svg.find_all("circle")
    assert len(lines) == len(dots) == 2
    for line, dot in zip(lines, dots, strict=True):
        assert 0 <= float(line["x1"]) < float(dot["cx"]) < float(line["x2"]) <= width


def test_what_chance_explains_is_hollow():
    solid, hollow = drawn(Interval("one", 2.0, 1.0, 3.0), Interval("two", 0.5, -0.5, 1.5)).find_all(
        "circle"
    )
    assert "surface" in hollow["fill"] and "surface" not in solid["fill"]


def test_it_says_its_numbers():
    svg = drawn(Interval("A & B", 2.0, 1.0, 3.0))
    assert "A & B 2.0, 95 % interval 1.0 to 3.0" in svg["aria-label"]


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((0, 77), [0, 20, 40, 60]),
        ((-3.7, 11.1), [0, 5, 10]),
        ((-1.4, 27.2), [0, 10, 20]),
        ((-0.03, 0.07), [-0.02, 0, 0.02, 0.04, 0.06]),
        ((0, 1), [0, 0.5, 1]),
    ],
)
def test_ticks_are_round_and_hold_zero(ends, ticks):
    assert round_ticks(*ends) == pytest.approx(ticks)
