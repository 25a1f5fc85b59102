"""What the page and the command say of a release that is not judged side by side."""

from messages import releases as text
from services.releases import ReleaseRow, SameWeight


def not_judged(row: ReleaseRow) -> str:
    """Why it is not, with the weaker comparison of first hours in its place if there is one; "" if it is judged."""
    if row.issue is None:
        return ""
    compared = row.same_weight
    if isinstance(compared, SameWeight):
        evaluation = compared.evaluation
        before, hour = compared.hours.before.canary.task_definition, compared.hours.new
        return text.same_weight(evaluation.judgement, before, hour.end - hour.start)
    return text.without_comparison(row.issue, compared) if compared else str(text.ISSUES[row.issue])
