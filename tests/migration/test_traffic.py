"""What a load balancer was told: which rule splits the traffic, what the split is, and that the archive reads what it wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration.traffic import Traffic, traffic_from_json, traffic_to_json


@given(st.from_type(Traffic))
def test_what_the_archive_wrote_it_reads(traffic: Traffic) -> None:
    text = traffic_to_json(traffic)
    assert traffic_from_json(text) == traffic
    assert traffic_to_json(traffic_from_json(text)) == text


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"asked_at": "now", "rules": [], "groups": [], "split_arn": ""}'])
def test_what_it_did_not_write_it_refuses(text: str) -> None:
    with pytest.raises(ValueError):
        traffic_from_json(text)
