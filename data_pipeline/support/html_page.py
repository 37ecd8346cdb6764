"""HTML pages that need no other file."""

import base64
import html
from collections.abc import Collection, Sequence

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem;
  padding: 0 1rem; }}
h2 {{ margin-top: 2.5rem; border-bottom: 1px solid #8886; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: .15rem .8rem .15rem 0; text-align: left; }}
td.n, th.n {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
figure {{ margin: 0; font-size: 12px; overflow-wrap: anywhere; }}
img {{ max-width: 100%; height: auto; }}
.wide {{ overflow-x: auto; }}
{style}</style></head><body>
<h1>{title}</h1>
{body}
</body></html>
"""


def document(title: str, body: str, style: str = "") -> str:
    """A whole page.

    Args:
        title: Plain text.
        body: HTML below the heading.
        style: CSS rules besides those of all pages.
    """
    return _PAGE.format(title=html.escape(title), body=body, style=style)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: Collection[int] = (0,)) -> str:
    """A table.

    Args:
        head: Plain text of each column.
        rows: Plain text of each row's cells.
        texts: The columns that hold text; the others hold numbers.
    """

    def line(cells, tag):
        kinds = ["" if i in texts else ' class="n"' for i in range(len(cells))]
        own = zip(cells, kinds, strict=True)
        return "".join(f"<{tag}{kind}>{html.escape(cell)}</{tag}>" for cell, kind in own)

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<div class='wide'><table><tr>{line(head, 'th')}</tr>{body}</table></div>"


def image(data: bytes, kind: str, alt: str = "") -> str:
    """A picture within the page.

    Args:
        data: The bytes of its file.
        kind: `"jpeg"` or `"png"`.
        alt: What it shows, plain text.
    """
    text = base64.b64encode(data).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/{kind};base64,{text}">'
