"""Requests are checked, limited by visitor, and come back whole from their links."""

import urllib.parse

import pytest

from data_pipeline.support.errors import UserError
from export.app.asked import LONGEST_CAPTION, MOST_PICTURES, Asked, Turns


def test_a_link_holds_the_whole_request():
    asked = Asked('a bird, 50% <red> & "blue" 🐦', 7, 3, 0.35)
    query = dict(urllib.parse.parse_qsl(asked.query().removeprefix("?")))
    assert Asked.from_query(query) == asked
    assert Asked.from_query({"caption": " a  bird\n"}) == Asked("a bird")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (dict(caption=""), "empty"),
        (dict(caption=None), "empty"),
        (dict(caption=["a bird"]), "empty"),
        (dict(caption="a" * (LONGEST_CAPTION + 1)), "501 characters"),
        (dict(caption="a\0bird"), "cannot be printed"),
        (dict(caption="a", seed=-1), "seed"),
        (dict(caption="a", seed=0.5), "seed"),
        (dict(caption="a", seed="../../etc/passwd"), "seed"),
        (dict(caption="a", seed=10**400), "seed"),
        (dict(caption="a", number=MOST_PICTURES + 1), "number"),
        (dict(caption="a", number=float("nan")), "number"),
        (dict(caption="a", truncation="1e999"), "truncation"),
    ],
)
def test_what_is_beyond_its_limit_is_named(values, named):
    with pytest.raises(UserError, match=named):
        Asked.checked(**values)


def test_a_visitor_who_asks_for_too_much_waits_and_the_others_do_not():
    now = [0.0]
    turns = Turns(60, clock=lambda: now[0])
    turns.take("a", 60)
    with pytest.raises(UserError, match="wait 5 seconds"):
        turns.take("a", 5)
    turns.take("b", 60)
    now[0] += 5
    turns.take("a", 5)
    with pytest.raises(UserError):
        turns.take("a")
