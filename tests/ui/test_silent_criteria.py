"""The sentence about a criterion of one's own that may have been renamed."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from services.criteria import SilentCriterion
from tests.factories.config_issues import CPU, own_table
from ui import app_context, silent_criteria
from ui.app_context import AppContext, AppContexts


def _page() -> None:
    from tests.factories.app_context import NOW
    from ui.app_context import get_app_context
    from ui.silent_criteria import silent_criteria_section

    silent_criteria_section(get_app_context(), "mackerel", now=NOW)


@pytest.mark.parametrize(
    ("table", "query"),
    [
        (own_table(name="uploads", canary="service(photo, upload.ecs)"), "service(photo, upload.ecs)"),
        (own_table(name="CPU", source="cloudwatch", baseline=CPU, canary=CPU), "AWS/ECS CPUUtilization"),
    ],
)
def test_it_names_criterion_metric_and_next_step(
    build_app: Callable[..., AppContext], monkeypatch: pytest.MonkeyPatch, table: dict[str, object], query: str
) -> None:
    app = build_app("criteria", [table])
    (criterion,) = app.migration.own_criteria
    monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: app}))
    silent = (SilentCriterion(criterion, "canary"),)
    monkeypatch.setattr(silent_criteria, "silent_criteria", lambda *_args, **_kwargs: silent)
    silent_criteria._cached_silent_criteria.clear()
    page = AppTest.from_function(_page, default_timeout=30).run()
    assert not page.exception
    text = " ".join(item.proto.body for item in page.get("html"))
    assert f"“{criterion.name}” has had no value of ECS for an hour, while ECS reports otherwise: {query}." in text
    assert (
        "If it was renamed, correct the criterion in the configuration; `cli.py doctor` checks each expression." in text
    )
