"""deploy/: both templates are valid as far as their tools run here, and their role is the documented policy."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
import pytest
from cfnlint.api import ManualArgs, lint
from cfnlint.decode import cfn_yaml

from domain import Migration
from tests.factories.archives import MIGRATION
from tests.factories.iam_policy import IAM_PAGE, ROOT, statements

CLOUDFORMATION = ROOT / "deploy" / "cloudformation.yaml"
TERRAFORM = ROOT / "deploy" / "terraform"
Policy = dict[str, tuple[frozenset[str], bool]]  # Sid → (actions, on all resources)


def policy_of(items: Iterator[dict[str, Any]]) -> Policy:
    return {item["Sid"]: (frozenset(_list(item["Action"])), _list(item["Resource"]) == ["*"]) for item in items}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def documented() -> Policy:
    """That of the program; `init` runs elsewhere."""
    policy = policy_of(statements(IAM_PAGE))
    return {sid: of_statement for sid, of_statement in policy.items() if not sid.startswith("Init")}


def test_cloudformation_is_valid() -> None:
    """In one region: over all of them cfn-lint combines every value of every reference in an ARN, which takes more than ten minutes."""
    in_one_region = ManualArgs(regions=["ap-northeast-1"])
    assert [str(match) for match in lint(CLOUDFORMATION.read_text(encoding="utf-8"), config=in_one_region)] == []


def test_the_role_of_cloudformation_is_the_documented_policy(documented: Policy) -> None:
    template = cfn_yaml.load(str(CLOUDFORMATION))
    (policy,) = template["Resources"]["TaskRole"]["Properties"]["Policies"]
    items = policy["PolicyDocument"]["Statement"]
    assert policy_of(item.get("Fn::If", [None, item])[1] for item in items) == documented


def terraform_statements() -> Iterator[dict[str, Any]]:
    """With the names that JSON has for them."""
    (data,) = hcl2.loads((TERRAFORM / "policy.tf").read_text(encoding="utf-8"))["data"]
    document = data['"aws_iam_policy_document"']['"task"']
    blocks = document["statement"] + [item['"statement"']["content"][0] for item in document["dynamic"]]
    for block in blocks:
        texts = {key: [text.strip('"') for text in block[key]] for key in ("actions", "resources")}
        yield {"Sid": block["sid"].strip('"'), "Action": texts["actions"], "Resource": texts["resources"]}


def test_the_role_of_terraform_is_the_documented_policy(documented: Policy) -> None:
    assert policy_of(terraform_statements()) == documented


def test_terraform_parses_and_refers_only_to_what_it_defines() -> None:
    """`terraform validate` needs the provider, which cannot be installed here: this finds misspelt names, not wrong arguments."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(TERRAFORM.glob("*.tf"))]
    for text in texts:
        hcl2.loads(text)
    text = re.sub(r"(?m)#.*$", "", "\n".join(texts))
    variables = set(re.findall(r'(?m)^variable "(\w+)"', text))
    assert set(re.findall(r"\bvar\.(\w+)", text)) == variables
    defined = {f"{kind}.{name}" for kind, name in re.findall(r'(?m)^(?:resource|data) "(\w+)" "(\w+)"', text)}
    named = set(re.findall(r"\b(aws_\w+\.\w+)", text))
    assert named <= defined
    local_names = set(re.findall(r"\blocal\.(\w+)", text))
    assert local_names == {name for name in local_names if re.search(rf"(?m)^  {name}\s+= ", text)}


@pytest.mark.parametrize("path", [CLOUDFORMATION, TERRAFORM / "main.tf"], ids=["cloudformation", "terraform"])
def test_both_sign_in_run_the_image_and_stop_in_time(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for part in ("authenticate-oidc", "/healthz", "streamlit run dashboard.py", "cli.py record --json", "PGHOST"):
        assert part in text
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "streamlit" in dockerfile and "VOLUME /data" in dockerfile


def test_the_archive_of_docs_deploy_is_a_valid_one() -> None:
    url = re.search(r'(?m)^archive = "(.+)"', (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8"))
    assert url
    tables = MIGRATION.model_dump(exclude_unset=True) | {"archive": url[1]}
    assert Migration.model_validate(tables).archive == "postgresql+psycopg://archive@/archive"
