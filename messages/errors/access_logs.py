"""What goes wrong with access logs, where messages/errors/source_texts.py is too general: the folder, the bucket, one file of it."""

from messages.i18n import _
from sources.base import Problem

Texts = tuple[str, str, str]


def access_log_texts(problem: Problem, about: str) -> Texts | None:
    """Title, what happened and the next step; None where the general texts say it. `about` is the problem's, made fit to print."""
    match problem:
        case Problem("not_found", _source, "read"):
            return (
                _("No such folder"),
                _("There is no file and no folder {place}.").format(place=about),
                _("Correct `path` under [access_logs], or what stands after `--logs`."),
            )
        case Problem("denied", _source, "read"):
            return (
                _("Logs cannot be read"),
                _("This program may not read {place}.").format(place=about),
                _("Let the user that it runs as read it, with all that lies below."),
            )
        case Problem("not_found", _source, "s3:ListBucket"):
            return (
                _("No such bucket"),
                _("There is no bucket {bucket}.").format(bucket=about),
                _(
                    "Correct `bucket` under [access_logs], or leave it out: the load balancer's attributes name the bucket that it writes to now."
                ),
            )
        case Problem("not_found", _source, "s3:GetObject"):
            return (
                _("A log file is gone"),
                _("It was listed and is not there any more: {file}. Its lines are not counted.").format(file=about),
                _(
                    "Nothing to do if a lifecycle rule of the bucket removes old logs: count them before that, with `ingest` under [access_logs]."
                ),
            )
        case Problem("denied", _source, "s3:GetObject") if problem.detail.startswith("InvalidObjectState"):
            return (
                _("A log file is archived"),
                _("A lifecycle rule has moved it to an archive class of S3: {file}. Its lines are not counted.").format(
                    file=about
                ),
                _("Restore it with `aws s3api restore-object`, if that time matters; it is then counted by itself."),
            )
        case Problem("denied", _source, "s3:GetObject"):
            return (
                _("A log file may not be read"),
                _("AWS does not allow s3:GetObject of {file}. Its lines are not counted; all other files are.").format(
                    file=about
                ),
                _(
                    "Allow `s3:GetObject` for it in the IAM policy (docs/access_logs.md has the whole policy), and look for a bucket policy or an owner "
                    "of the object that refuses. It is asked for again with the next look at that time."
                ),
            )
    return None
