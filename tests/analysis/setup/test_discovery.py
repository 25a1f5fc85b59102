"""What is proposed from an inventory, why, and what remains to be asked."""

from typing import Any

import pytest

from analysis.setup.discovery import propose
from analysis.setup.proposal import Choice, DiscoveryFailure, Option, Proposal
from domain import Condition
from domain.infrastructure import InfrastructureHints
from domain.inventory import Inventory, MackerelInventory
from tests.factories.inventory import (
    HEADER,
    REGION,
    balancer,
    balancer_arn,
    deployment_group,
    group,
    group_arn,
    mackerel,
    photo_inventory,
    rule,
    service,
)


def names(proposal: Proposal) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The target groups of both fleets."""
    return proposal.baseline.target_group_names, proposal.canary.target_group_names


def codes(reasons: Any) -> list[str]:
    return [reason.code for reason in reasons]


def choice(proposal: Proposal, key: str) -> Choice:
    return next(item for item in proposal.choices if item.key == key)


def labels(options: tuple[Option, ...]) -> list[str]:
    return [option.label for option in options]


class TestOneLoadBalancer:
    def test_instances_are_the_old_fleet_and_the_ecs_service_is_the_new_one(self) -> None:
        proposal = propose(photo_inventory())
        assert proposal.open_choice is None
        assert names(proposal) == (("photo-ec2",), ("photo-ecs",))
        assert (proposal.baseline.label, proposal.canary.label) == ("EC2", "ECS")
        assert proposal.canary.service and proposal.canary.service.name == "photo/web"
        assert codes(proposal.load_balancer_reasons) == ["only_load_balancer"]
        assert codes(proposal.rule_reasons) == ["forwards", "unconditional", "only_rule"]
        assert codes(proposal.baseline.reasons) == ["instance_targets", "not_ecs"]
        assert codes(proposal.canary.reasons) == ["registered"]

    def test_ecs_on_instances_is_recognized_by_its_service_and_not_by_the_type_of_its_targets(self) -> None:
        groups = (group("photo-ec2", "instance"), group("photo-ecs", "instance"))
        assert names(propose(photo_inventory(target_groups=groups))) == (("photo-ec2",), ("photo-ecs",))

    def test_the_other_group_of_a_codedeploy_pair_belongs_to_the_new_fleet(self) -> None:
        inventory = photo_inventory(
            target_groups=(group("photo-ec2", "instance"), group("photo-ecs"), group("photo-green")),
            deployment_groups=(deployment_group("AppECS-photo/Dgp", "photo-ecs", "photo-green"),),
        )
        proposal = propose(inventory)
        assert names(proposal) == (("photo-ec2",), ("photo-ecs", "photo-green"))
        assert codes(proposal.canary.reasons) == ["registered", "pair"]
        assert proposal.canary.deployment_group and proposal.canary.deployment_group.name == "AppECS-photo/Dgp"

    def test_both_groups_of_ecs_own_blue_green_deployments_are_the_new_fleet(self) -> None:
        inventory = photo_inventory(
            target_groups=(group("photo-ec2", "instance"), group("photo-ecs"), group("photo-green")),
            services=(service("photo/web", "photo-ecs", "photo-green"),),
        )
        assert names(propose(inventory)) == (("photo-ec2",), ("photo-ecs", "photo-green"))

    def test_several_groups_of_instances_are_the_old_fleet_together(self) -> None:
        inventory = photo_inventory(
            rules=(rule({"photo-a": 45, "photo-b": 45, "photo-ecs": 10}),),
            target_groups=(group("photo-a", "instance"), group("photo-b", "instance"), group("photo-ecs")),
        )
        proposal = propose(inventory)
        assert names(proposal) == (("photo-a", "photo-b"), ("photo-ecs",))
        assert proposal.open_choice is None

    def test_ip_targets_are_the_new_fleet_if_ecs_cannot_be_read(self) -> None:
        proposal = propose(photo_inventory(services=(), unread=frozenset({"ecs"})))
        assert names(proposal) == (("photo-ec2",), ("photo-ecs",))
        assert proposal.open_choice is None
        assert codes(proposal.canary.reasons) == ["ip_targets", "ecs_unread"]

    def test_equal_groups_without_ecs_are_asked_for_and_their_names_preselect(self) -> None:
        groups = (group("photo-ec2"), group("photo-ecs"))
        proposal = propose(photo_inventory(target_groups=groups, services=(), unread=frozenset({"ecs"})))
        assert proposal.open_choice and proposal.open_choice.key == "ecs_target_group"
        assert proposal.open_choice.chosen.label == "photo-ecs"
        assert labels(proposal.open_choice.options) == ["photo-ecs", "photo-ec2"]

    def test_an_answer_is_taken_by_name_or_arn(self) -> None:
        for given in ("photo-ec2", group_arn("photo-ec2")):
            proposal = propose(photo_inventory(), answers={"ecs_target_group": (given,)})
            assert names(proposal) == (("photo-ecs",), ("photo-ec2",))
            assert proposal.open_choice is None

    def test_an_answer_may_be_several_groups(self) -> None:
        inventory = photo_inventory(
            target_groups=(group("photo-ec2", "instance"), group("photo-x"), group("photo-ecs")),
            rules=(rule({"photo-ec2": 90, "photo-x": 5, "photo-ecs": 5}),),
        )
        proposal = propose(inventory, answers={"ecs_target_group": ("photo-x", "photo-ecs")})
        assert names(proposal) == (("photo-ec2",), ("photo-x", "photo-ecs"))
        assert codes(proposal.canary.reasons) == ["answered"]

    def test_between_two_ecs_services_it_asks_and_labels_the_fleets_by_their_groups(self) -> None:
        services = (service("photo/old", "photo-ec2"), service("photo/web", "photo-ecs"))
        proposal = propose(photo_inventory(services=services))
        assert proposal.open_choice and proposal.open_choice.key == "ecs_target_group"
        answered = propose(photo_inventory(services=services), answers={"ecs_target_group": ("photo-ecs",)})
        assert answered.open_choice is None
        assert (answered.baseline.label, answered.canary.label) == ("photo-ec2", "photo-ecs")
        assert answered.baseline.service and answered.baseline.service.name == "photo/old"

    def test_a_name_that_the_configuration_does_not_accept_is_left_out(self) -> None:
        proposal = propose(photo_inventory(deployment_groups=(deployment_group("App ECS/Dgp", "photo-ecs"),)))
        assert proposal.canary.deployment_group is None


class TestRules:
    def test_without_a_rule_that_splits_there_is_none_and_both_kinds_of_groups_are_proposed(self) -> None:
        proposal = propose(photo_inventory(rules=(rule({"photo-ec2": 1}),)))
        assert proposal.rule is None
        assert names(proposal) == (("photo-ec2",), ("photo-ecs",))
        assert [item.key for item in proposal.choices] == ["load_balancer", "ecs_target_group", "ec2_target_group"]

    def test_a_rule_for_all_visitors_is_preferred_to_one_with_a_header(self) -> None:
        weights = {"photo-ec2": 90, "photo-ecs": 10}
        rules = (rule(weights, number=5, conditions=(HEADER,)), rule(weights))
        proposal = propose(photo_inventory(rules=rules))
        assert proposal.rule == rules[1]
        assert proposal.open_choice is None

    def test_several_rules_for_all_visitors_are_asked_for(self) -> None:
        path = Condition("path-pattern", "", ("/api/*",))
        rules = (
            rule({"photo-ec2": 50, "photo-ecs": 50}, number=5, conditions=(path,)),
            rule({"photo-ec2": 90, "photo-ecs": 10}),
        )
        proposal = propose(photo_inventory(rules=rules))
        assert proposal.open_choice and proposal.open_choice.key == "listener_rule"
        assert proposal.rule == rules[1]  # the one that matches every request

    def test_a_rule_that_no_request_reaches_is_no_candidate(self) -> None:
        everything = Condition("path-pattern", "", ("/*",))
        rules = (
            rule({"photo-ec2": 90, "photo-ecs": 10}, number=5, conditions=(everything,)),
            rule({"photo-ec2": 50, "photo-ecs": 50}),
        )
        assert labels(choice(propose(photo_inventory(rules=rules)), "listener_rule").options) == [
            "HTTPS:443 5: photo-ec2 90, photo-ecs 10"
        ]


class TestSeveralLoadBalancers:
    def inventory(self, **overrides: Any) -> Inventory:
        values: dict[str, Any] = {
            "load_balancers": (balancer("admin"), balancer()),
            "target_groups": (
                group("admin-a", of="admin"),
                group("admin-b", of="admin"),
                group("photo-ec2", "instance"),
                group("photo-ecs"),
            ),
        }
        return photo_inventory(**(values | overrides))

    def test_the_one_that_splits_between_both_kinds_is_chosen_without_a_question(self) -> None:
        proposal = propose(self.inventory())
        assert proposal.load_balancer.name == "photo"
        assert proposal.open_choice is None
        assert codes(proposal.load_balancer_reasons) == ["splits"]

    def test_one_that_splits_between_groups_of_one_kind_is_not_as_good(self) -> None:
        rules = (rule({"admin-a": 90, "admin-b": 10}, of="admin"), rule({"photo-ec2": 90, "photo-ecs": 10}))
        proposal = propose(self.inventory(rules=rules))
        assert (proposal.load_balancer.name, proposal.open_choice) == ("photo", None)

    def test_two_that_split_are_asked_for(self) -> None:
        inventory = self.inventory(
            rules=(rule({"photo-ec2": 90, "photo-ecs": 10}), rule({"admin-a": 90, "admin-b": 10}, of="admin")),
            services=(service("photo/web", "photo-ecs"), service("admin/web", "admin-b")),
        )
        proposal = propose(inventory)
        assert proposal.open_choice and proposal.open_choice.key == "load_balancer"
        assert labels(proposal.open_choice.options) == ["admin", "photo"]
        answered = propose(inventory, answers={"load_balancer": ("photo",)})
        assert names(answered) == (("photo-ec2",), ("photo-ecs",))

    def test_the_one_that_is_hinted_is_chosen(self) -> None:
        hints = InfrastructureHints(load_balancer_arns=(balancer_arn("admin"),), origins=("terraform.tfstate",))
        proposal = propose(self.inventory(), hints)
        assert proposal.load_balancer.name == "admin"
        assert proposal.load_balancer_reasons[-1].params == (("origins", "terraform.tfstate"),)

    @pytest.mark.parametrize("service_name", ["photo/web", "web"])
    def test_among_all_that_a_state_names_the_one_that_splits_is_chosen(self, service_name: str) -> None:
        hints = InfrastructureHints(
            load_balancer_arns=(balancer_arn("admin"), balancer_arn("photo")), services=(service_name,)
        )
        proposal = propose(self.inventory(), hints)
        assert (proposal.load_balancer.name, proposal.open_choice) == ("photo", None)

    def test_a_rule_that_is_hinted_is_chosen(self) -> None:
        path = Condition("path-pattern", "", ("/api/*",))
        rules = (
            rule({"photo-ec2": 50, "photo-ecs": 50}, number=5, conditions=(path,)),
            rule({"photo-ec2": 90, "photo-ecs": 10}),
        )
        hints = InfrastructureHints(listener_rule_arns=(rules[0].arn,), origins=("a",))
        proposal = propose(photo_inventory(rules=rules), hints)
        assert (proposal.rule, proposal.open_choice) == (rules[0], None)

    def test_one_with_a_single_target_group_is_no_candidate(self) -> None:
        groups = (group("admin-a", of="admin"), group("photo-ec2", "instance"), group("photo-ecs"))
        proposal = propose(self.inventory(target_groups=groups, rules=(), services=()))
        assert labels(choice(proposal, "load_balancer").options) == ["photo"]


class TestMackerel:
    def test_the_service_in_which_the_host_has_a_role(self) -> None:
        proposal = propose(photo_inventory(mackerel=mackerel("admin", "web-photo", role="web-photo")))
        assert proposal.mackerel.service == "web-photo"
        assert proposal.open_choice is None
        assert codes(proposal.mackerel.reasons) == ["role_of_host", "has_metrics"]

    def test_the_service_with_the_name_of_the_load_balancer(self) -> None:
        proposal = propose(photo_inventory(mackerel=mackerel("admin", "photo")))
        assert (proposal.mackerel.service, proposal.open_choice) == ("photo", None)

    def test_services_of_other_names_are_asked_for_and_none_is_preselected(self) -> None:
        proposal = propose(photo_inventory(mackerel=mackerel("admin", "shop")))
        assert proposal.open_choice and proposal.open_choice.key == "mackerel_service"
        assert labels(proposal.open_choice.options) == ["", "admin", "shop"]
        assert proposal.mackerel.service == ""
        answered = propose(photo_inventory(mackerel=mackerel("admin", "shop")), answers={"mackerel_service": ("shop",)})
        assert answered.mackerel.service == "shop"

    def test_without_a_host_with_these_metrics_there_is_no_mackerel(self) -> None:
        proposal = propose(photo_inventory(mackerel=mackerel("photo", groups=("admin-a",))))
        assert proposal.mackerel.host is None
        assert codes(proposal.mackerel.reasons) == ["no_host"]

    @pytest.mark.parametrize(("unread", "reason"), [(frozenset(), "no_key"), (frozenset({"mackerel"}), "unread")])
    def test_why_it_was_not_read(self, unread: frozenset[str], reason: str) -> None:
        assert codes(propose(photo_inventory(unread=unread)).mackerel.reasons) == [reason]

    def test_an_organization_without_services(self) -> None:
        proposal = propose(photo_inventory(mackerel=MackerelInventory("example", (), mackerel("x").hosts)))
        assert (proposal.mackerel.service, proposal.open_choice) == ("", None)
        assert proposal.mackerel.host


class TestFailures:
    @pytest.mark.parametrize(
        ("inventory", "code"),
        [
            (Inventory(REGION), "no_load_balancer"),
            (photo_inventory(target_groups=(group("photo-ecs"),), rules=()), "one_target_group"),
            (photo_inventory(target_groups=()), "one_target_group"),
            (
                photo_inventory(
                    load_balancers=(balancer(), balancer("admin")), target_groups=(group("photo-ecs"),), rules=()
                ),
                "one_target_group",
            ),
        ],
    )
    def test_nothing_can_be_proposed(self, inventory: Inventory, code: str) -> None:
        with pytest.raises(DiscoveryFailure) as failure:
            propose(inventory)
        assert failure.value.code == code

    @pytest.mark.parametrize(
        ("key", "given", "options"),
        [
            ("load_balancer", "shop", ["photo"]),
            ("listener_rule", "arn:aws:x", ["HTTPS:443 default: photo-ec2 90, photo-ecs 10"]),
            ("ecs_target_group", "shop", ["photo-ecs", "photo-ec2"]),
            ("ec2_target_group", "photo-ecs", ["photo-ec2"]),
        ],
    )
    def test_an_answer_that_is_not_among_the_options_names_them(self, key: Any, given: str, options: list[str]) -> None:
        with pytest.raises(DiscoveryFailure) as failure:
            propose(photo_inventory(), answers={key: (given,)})
        assert (failure.value.code, failure.value.key, failure.value.given) == ("no_answer", key, given)
        assert labels(failure.value.options) == options
