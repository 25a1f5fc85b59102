"""Templates of ecspresso: what is a placeholder, what is rendered, and that any text is read."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sources.infrastructure.ecspresso import read_ecspresso
from sources.infrastructure.templates import TemplateError, environment_functions, parse_template, state_functions
from sources.infrastructure.terraform_state import TerraformState

ENVIRONMENT = {"REGION": "ap-northeast-1", "EMPTY": "", "QUOTED": 'a "b"'}
VALUES = {"aws_lb.main.name": "photo", "aws_lb.x['blue'].name": "photo-blue"}
FUNCTIONS = {**environment_functions(ENVIRONMENT), **state_functions("", VALUES.get)}


def render(text: str) -> str:
    template = parse_template(text)
    return template.render(template.text, FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("no template", "no template"),
        ("{{ must_env `REGION` }}", "ap-northeast-1"),
        ('{{must_env "REGION"}}', "ap-northeast-1"),
        ("a-{{- must_env `REGION` -}}-b", "a-ap-northeast-1-b"),
        ("{{ env `NONE` `EMPTY` `default` }}", "default"),
        ("{{ env `NONE` }}", "NONE"),  # as kayac/go-config does
        ("{{ env `EMPTY` `` }}", ""),
        ("{{ must_env `EMPTY` }}", ""),
        ("{{ must_env `QUOTED` | json_escape }}", 'a \\"b\\"'),
        ("{{ `a}}b` }}", "a}}b"),
        ("{{ /* a comment }} */ }}{{ (env `REGION`) }}", "ap-northeast-1"),
        ("{{ tfstate `aws_lb.main.name` }}", "photo"),
        ("{{ tfstatef `aws_lb.%s.name` `main` }}", "photo"),
        ("{{ tfstatef `aws_lb.x['%s'].name` (env `COLOR` `blue`) }}", "photo-blue"),
        ("{{ $x := must_env `REGION` }}x", "x"),
        ("a{{ if true }}b{{ if false }}c{{ end }}{{ else }}d{{ end }}e", "ae"),
        ("12{{ env `A` `3` }}4", "1234"),
    ],
)
def test_rendering(text: str, rendered: str) -> None:
    assert render(text) == rendered


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ must_env `NONE` }}", "variable_not_set"),
        ("{{ tfstate `aws_lb.other.name` }}", "not_in_state"),
        ("{{ ssm `/path` }}", "unknown_function"),
        ("{{ .Value }}", "unknown_function"),
        ("{{ must_env }}", "not_an_expression"),
        ("{{ tfstatef `%s` }}", "not_an_expression"),
        ("{{ tfstatef }}", "not_an_expression"),
        ("{{ env `A` | }}", "not_an_expression"),
        ("{{ (env `A` }}", "not_an_expression"),
        ("{{ `a` `b` }}", "not_an_expression"),
        ("{{ env 'A' }}", "not_an_expression"),
        ('{{ env "\\x41" }}', "not_an_expression"),
        ("{{ " + "(" * 1000 + "env `A`" + ")" * 1000 + " }}", "not_an_expression"),
    ],
)
def test_what_cannot_be_rendered(text: str, code: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(text)
    assert caught.value.code == code


def test_lines_of_expressions_and_blocks() -> None:
    template = parse_template("a: 1\nb: {{ env `A`\n  `x` }}\n\nc: {{ ssm `a` }}\n{{ range .X }}\n{{ end }}\n")
    assert [expression.line for expression in template.expressions] == [2, 5]
    assert [(block.text, block.line) for block in template.blocks] == [("range .X", 6)]
    unclosed = parse_template("a\n{{ env `A`\nb").unclosed
    assert unclosed and (unclosed.text, unclosed.line) == ("env `A`", 2)


def test_a_placeholder_is_no_number_of_the_text() -> None:
    text = '{"a": {{ env `A` `7` }}, "b": 80000000, "c": "800000000000 {{ env `B` `x` }}"}'
    template = parse_template(text)
    data = json.loads(template.text)
    assert [template.render(str(data[key]), FUNCTIONS) for key in "abc"] == ["7", "80000000", "800000000000 x"]
    assert yaml.load(template.text, Loader=yaml.BaseLoader).keys() == {"a", "b", "c"}


PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "-",
        " ",
        "\n",
        "`",
        '"',
        "(",
        ")",
        "|",
        "env",
        "tfstate",
        "if",
        "end",
        "else",
        "A",
        ":=",
        "/*",
        "*/",
        "\\",
        "8",
    ]
)


@given(text=st.text() | st.lists(PIECES).map("".join))
def test_any_text_is_rendered_or_refused(text: str) -> None:
    template = parse_template(text)
    try:
        template.render(template.text, FUNCTIONS)
    except TemplateError as error:
        assert error.expression.line <= text.count("\n") + 1


YAML_PIECES = st.sampled_from(
    [
        "service: ",
        "cluster: ",
        "plugins:\n",
        "- name: tfstate\n",
        "  config: ",
        "{",
        "}",
        "[",
        "]",
        ":",
        "\n",
        "'",
        '"',
        "&a ",
        "*a",
        "<<: ",
        "!!python/",
    ]
) | st.text(max_size=3)


@given(
    content=st.binary() | st.lists(YAML_PIECES | PIECES).map(lambda parts: "".join(parts).encode()),
    suffix=st.sampled_from([".yml", ".json", ".jsonnet", ".txt"]),
)
def test_any_configuration_is_read_or_refused(
    content: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"fuzz{suffix}"
    path.write_bytes(content)
    result = read_ecspresso(path, ENVIRONMENT, lambda _: TerraformState())
    assert len(result.problems) == 0
