"""Parsing of ARNs of Elastic Load Balancing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Arn
from domain.arn import ArnKind, ArnPart, TruncatedArn
from tests.factories.config import ALB, EC2, ELB_ARN_PREFIX, RULE

LISTENER = f"{ELB_ARN_PREFIX}:listener/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2"


@pytest.mark.parametrize(
    ("text", "kind", "name", "dimension", "path"),
    [
        (ALB, "load balancer", "photo", "app/photo/50dc6c495c0c9188", "app/photo/50dc6c495c0c9188"),
        (EC2, "target group", "photo-ec2", "targetgroup/photo-ec2/73e2d6bc24d8a067", ""),
        (LISTENER, "listener", "photo", "app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2", "app/photo/50dc6c495c0c9188"),
        (
            RULE,
            "listener rule",
            "photo",
            "app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee",
            "app/photo/50dc6c495c0c9188",
        ),
    ],
)
def test_the_four_kinds(text: str, kind: str, name: str, dimension: str, path: str) -> None:
    arn = Arn.parse(f" {text}\n")
    assert arn is not None
    assert (arn.text, arn.kind, arn.name, arn.dimension, arn.load_balancer_path) == (text, kind, name, dimension, path)
    assert (arn.partition, arn.region, arn.account) == ("aws", "ap-northeast-1", "123456789012")


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov", "aws-eusc", "aws-iso-b"])
def test_other_partitions(partition: str) -> None:
    arn = Arn.parse(ALB.replace("arn:aws:", f"arn:{partition}:"))
    assert arn is not None and arn.partition == partition


@pytest.mark.parametrize(
    "text",
    [
        "",
        "photo-ec2",
        "app/photo/50dc6c495c0c9188",
        f"{ELB_ARN_PREFIX}:loadbalancer/net/photo/50dc6c495c0c9188",
        f"{ELB_ARN_PREFIX}:loadbalancer/photo",
        f"{ELB_ARN_PREFIX}:targetgroup/photo-ec2",
        f"{ELB_ARN_PREFIX}:targetgroup/photo-ec2/73e2d6bc24d8a067/more",
        EC2.replace("123456789012", "1234"),
        EC2.replace("elasticloadbalancing", "ecs"),
        f"{EC2} {EC2}",
    ],
)
def test_other_texts_are_none(text: str) -> None:
    assert Arn.parse(text) is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert Arn.parse(text) is None or text.strip().startswith("arn:")


WHOLE: dict[ArnKind, str] = {"load balancer": ALB, "listener": LISTENER, "listener rule": RULE, "target group": EC2}


@given(st.sampled_from(list(WHOLE)), st.sampled_from(list(WHOLE)), st.data())
def test_every_start_of_an_arn_is_truncated(kind: ArnKind, expected: ArnKind, data: st.DataObject) -> None:
    end = data.draw(st.integers(1, len(WHOLE[kind]) - 1))
    start = WHOLE[kind][:end]
    assert Arn.parse(start) is None
    truncated = TruncatedArn.parse(start, expected)
    assert truncated is not None and truncated.missing
    assert truncated.kind == (expected if WHOLE[expected].startswith(start) else truncated.kind)
    assert WHOLE[truncated.kind].startswith(start)


@pytest.mark.parametrize("text", [*WHOLE.values(), "", "photo", "arn:aws:s3:::photo", ALB.replace("/app/", "/net/")])
def test_whole_arns_and_other_texts_are_not_truncated(text: str) -> None:
    assert [TruncatedArn.parse(text, kind) for kind in WHOLE] == [None] * 4


@pytest.mark.parametrize(
    ("text", "kind", "missing", "in_part"),
    [
        (
            "arn",
            "load balancer",
            ("partition", "service", "region", "account", "type", "name", "load_balancer_id"),
            False,
        ),
        (ELB_ARN_PREFIX[:-1], "target group", ("account", "type", "name", "id"), True),
        (ELB_ARN_PREFIX, "target group", ("type", "name", "id"), False),
        (EC2.rpartition("/")[0], "target group", ("id",), False),
        (EC2[:-5], "target group", ("id",), True),
        (RULE.rpartition("/")[0], "listener rule", ("rule_id",), False),
    ],
)
def test_the_missing_parts(text: str, kind: ArnKind, missing: tuple[ArnPart, ...], in_part: bool) -> None:
    assert TruncatedArn.parse(text, kind) == TruncatedArn(kind, missing, in_part)
