"""What the site needs and GitHub does not: a navigation, links to files outside docs/, and lists as Python-Markdown understands them.

In: docs/README.md, and the Markdown of each page. Out: the same for MkDocs. Reads files.
"""

import posixpath
import re
from pathlib import Path

LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")
ITEM = re.compile(r"^( *)([-*]|\d+\.)( +)")
FENCE = re.compile(r"^ *(```)(.*)$")
PAGE = re.compile(r"\]\((?!\.\.|https?:)([^)#]+)\)")


def on_config(config):
    """The navigation: a section for each heading of the index, with the pages that it links."""
    index = Path(config.docs_dir, "README.md").read_text()
    sections = [section.split("\n", 1) for section in index.split("\n## ")[1:]]
    config.nav = ["README.md"] + [{title: PAGE.findall(text)} for title, text in sections]
    return config


def on_page_markdown(markdown, page, config, files):
    return indented("\n".join(lines(markdown, page.file.src_uri, config)))


def lines(markdown, source, config):
    """Links that leave docs/ lead to the repository; a fence has its language only."""
    inside = False
    for line in markdown.splitlines():
        fence = FENCE.match(line)
        if fence:
            inside = not inside
            language = fence[2].split(" ")[0]
            line = line[: fence.start(2)] + language
        elif not inside:
            line = LINK.sub(lambda link: rewritten(link, source, config), line)
        yield line


def rewritten(link, source, config):
    root = Path(config.config_file_path).parent
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(source), link[1]))
    if path.startswith("docs/") or not (root / path).exists():
        return link[0]
    kind = "tree" if (root / path).is_dir() else "blob"
    return f"]({config.repo_url.rstrip('/')}/{kind}/main/{path}{link[2] or ''})"


def indented(markdown):
    """What belongs to an item of a list is indented by four spaces for each level, as Python-Markdown wants it."""
    levels, out = [], []  # The column at which the content of each open item begins.
    fenced = False
    for line in markdown.splitlines():
        if not line.strip():
            out.append("")
            continue
        indent = len(line) - len(line.lstrip(" "))
        if not fenced:
            while levels and indent < levels[-1]:
                levels.pop()
        own = levels[-1] if levels else 0
        item = None if fenced else ITEM.match(line)
        out.append(" " * 4 * len(levels) + line[min(own, indent) :])
        if FENCE.match(line):
            fenced = not fenced
        elif item:
            levels.append(len(item[0]))
    return "\n".join(out)
