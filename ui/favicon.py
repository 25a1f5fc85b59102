"""The program's mark, a pair of scales, and the icon of the browser's tab in the colour of a decision."""

from domain.decision import Decision

# Shapes as well as colours: a tab's icon has 16 pixels.
_COLOURS: dict[Decision | None, str] = {
    "continue": "#15693e",
    "wait": "#b07a00",
    "hold": "#b07a00",
    "roll_back": "#c0261d",
    "no_data": "#70737d",
    None: "#41546B",
}
_SHAPES: dict[Decision | None, str] = {
    "continue": "<path d='M8 17l6 6 11-14' fill='none' stroke='#fff' stroke-width='4'/>",
    "wait": "<circle cx='16' cy='16' r='8' fill='none' stroke='#fff' stroke-width='3'/><path d='M16 8a8 8 0 0 1 0 16z' fill='#fff'/>",
    "hold": "<rect x='9' y='9' width='14' height='14' fill='#fff'/>",
    "roll_back": "<path d='M9 9l14 14M23 9L9 23' stroke='#fff' stroke-width='4'/>",
    "no_data": "<circle cx='16' cy='16' r='7' fill='none' stroke='#fff' stroke-width='3'/>",
    None: "<path d='M16 6v20M10 26h12M6 10h20M6 10l-3 8h6zM26 10l-3 8h6z' fill='none' stroke='#fff' stroke-width='2'/>",
}


def favicon(decision: Decision | None = None) -> str:
    """An SVG of 32 × 32 pixels; without a decision, the mark."""
    return (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
        f"<rect width='32' height='32' rx='6' fill='{_COLOURS[decision]}'/>{_SHAPES[decision]}</svg>"
    )
