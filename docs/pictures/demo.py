"""Draws the demo's output as a terminal. In: what `testbed demo` prints, on stdin. Out: an SVG file, whose name is the argument.

Shows the first three steps: the whole would not fit on a screen.
"""

import sys

from rich.console import Console
from rich.text import Text

SHOWN = ("== 1.", "== 2.", "== 3.")
# Without rich's web font: documents load nothing from elsewhere.
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def style(line: str) -> str:
    if line.startswith("== "):
        return "bold cyan"
    if line.startswith("$ "):
        return "bold white"
    if line.startswith("   "):
        return "green"
    return "white"


def shown(lines: list[str]) -> list[str]:
    parts: list[str] = []
    inside = False
    for line in lines:
        if line.startswith("== "):
            inside = line.startswith(SHOWN)
        if inside:
            parts.append(line)
    while parts and not parts[-1].strip():
        parts.pop()
    return parts


def main() -> None:
    everything = sys.stdin.read()
    lines = shown(everything.splitlines())
    if "That was all" not in everything or not lines:
        sys.exit(f"the demo did not reach its end:\n{everything}")
    width = max(len(line) for line in lines) + 1
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=width, file=nowhere, color_system="truecolor", force_terminal=True)
        for line in lines:
            console.print(Text(line, style=style(line)), no_wrap=True, overflow="ignore", crop=False)
        svg = console.export_svg(title="make demo", code_format=FORMAT, unique_id="demo")
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(svg)


main()
