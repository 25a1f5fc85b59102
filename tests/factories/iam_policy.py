"""The IAM policies that the documentation has."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
IAM_PAGE = ROOT / "docs" / "iam.md"


def statements(page: Path) -> Iterator[dict[str, Any]]:
    """Those of the identity policies of a page; a resource policy names a principal."""
    for block in re.findall(r"(?ms)^```json\n(.*?)^```", page.read_text(encoding="utf-8")):
        if block.startswith("{") and '"Statement"' in block:
            yield from (item for item in json.loads(block)["Statement"] if "Principal" not in item)
