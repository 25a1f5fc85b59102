"""Hints from infrastructure code."""

from domain.infrastructure import InfrastructureHints


def test_merged_hints_have_each_value_once_in_the_order_in_which_they_were_read() -> None:
    terraform = InfrastructureHints(
        region="ap-northeast-1",
        clusters=("photo",),
        target_group_arns=("arn:a", "arn:b"),
        origins=("terraform.tfstate",),
    )
    ecspresso = InfrastructureHints(
        region="us-east-1", clusters=("photo", "jobs"), services=("photo/web",), origins=("ecspresso.yml",)
    )
    assert terraform.merge(ecspresso) == InfrastructureHints(
        region="ap-northeast-1",
        clusters=("photo", "jobs"),
        services=("photo/web",),
        target_group_arns=("arn:a", "arn:b"),
        origins=("terraform.tfstate", "ecspresso.yml"),
    )


def test_the_region_is_that_of_the_other_if_there_is_none() -> None:
    assert InfrastructureHints().merge(InfrastructureHints(region="us-east-1")).region == "us-east-1"
