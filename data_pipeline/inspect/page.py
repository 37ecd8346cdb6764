"""Shows a survey of a data set as one HTML page that needs no other file."""

import html
import io
from collections.abc import Mapping, Sequence

from PIL import Image

from data_pipeline.inspect import duplicates
from data_pipeline.inspect.survey import SplitSurvey
from data_pipeline.support import html_page
from data_pipeline.text.vocabulary import unit
from data_pipeline.tfrecord import DatasetInfo

_THUMBNAIL = 160
_BARS, _WORDS, _PAIRS = 40, 60, 12

Repeats = tuple[list[list[int]], list[tuple[int, int, int]]]

_STYLE = """
.bars { display: grid; grid-template-columns: max-content 1fr; gap: 1px .6rem;
  font-size: 12px; }
.bars span { background: #3b82c4; color: #fff; padding: 0 .3rem; min-width: fit-content; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr));
  gap: 1rem; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 2rem; }
"""


def page(
    info: DatasetInfo,
    surveys: Sequence[SplitSurvey],
    verified: bool,
    repeats: Repeats,
    thumbnails: Mapping[tuple[str, int], bytes],
) -> str:
    """Writes the page.

    Args:
        info: The data set's description.
        surveys: One for each split.
        verified: Whether every checksum was compared.
        repeats: See `repeating`.
        thumbnails: From (split, row) to the JPEG bytes of the pictures that repeat.
    """
    state = "every checksum compared" if verified else "checksums not compared (--verify does)"
    summary = (
        f"Pictures of {info.stored_size} px on the smaller side, {len(info.classes):,} classes,"
        f" {info.vocabulary['size']:,} {unit(info.vocabulary)} in the vocabulary; {state}."
    )
    counts = html_page.table(
        ["", *(own.name for own in surveys)],
        [[name, *(value(own) for own in surveys)] for name, value in _ROWS.items()],
    )
    body = (
        f"<p>{html.escape(summary)}</p>{counts}{''.join(map(_split, surveys))}"
        f"<h2>Pictures that repeat</h2>{_repeats(surveys, repeats, thumbnails)}"
    )
    return html_page.document(f"Data set {info.dataset}", body, _STYLE)


def repeating(surveys: Sequence[SplitSurvey]) -> Repeats:
    """Groups of equal pictures and pairs of similar ones, over all splits.

    Pictures are numbered through the splits in order; pairs within a group are left out.
    """
    contents = [content for own in surveys for content in own.contents]
    groups = duplicates.exact(contents)
    prints = [print_ for own in surveys for print_ in own.fingerprints]
    pairs = [pair for pair in duplicates.near(prints) if contents[pair[0]] != contents[pair[1]]]
    return groups, pairs


def located(surveys: Sequence[SplitSurvey], number: int) -> tuple[SplitSurvey, int]:
    """The split and the row of a picture by its number, see `repeating`."""
    for own in surveys:
        if number < own.pictures:
            return own, number
        number -= own.pictures
    raise IndexError(number)


def _mean(counter):
    total = sum(counter.values())
    return sum(value * count for value, count in counter.items()) / total if total else 0.0


_ROWS = {
    "pictures": lambda own: f"{own.pictures:,}",
    "captions": lambda own: f"{own.captions:,}",
    "words a caption, mean": lambda own: f"{_mean(own.caption_words):.1f}",
    "longest caption, words": lambda own: f"{max(own.caption_words, default=0):,}",
    "different words": lambda own: f"{len(own.words):,}",
    "unknown words": lambda own: f"{own.unknown.total() / max(own.words.total(), 1):.2%}",
    "classes": lambda own: f"{len(own.class_sizes):,}",
    "pictures a class": lambda own: (
        f"{min(own.class_sizes.values(), default=0):,} to "
        f"{max(own.class_sizes.values(), default=0):,}"
    ),
}


def _split(own):
    common = dict(own.words.most_common(_WORDS))
    unknown = ", ".join(f"{word} ({count:,})" for word, count in own.unknown.most_common(_WORDS))
    sizes = {f"{width} x {height}": count for (width, height), count in own.sizes.most_common(12)}
    class_sizes = _binned(own.class_sizes.values())
    figures = "".join(
        f"<figure>{_image(data)}<figcaption><b>{html.escape(name)}</b><br>"
        f"{'<br>'.join(map(html.escape, texts[:3]))}</figcaption></figure>"
        for data, name, texts in own.shown
    )
    lengths = dict(sorted(own.caption_words.items()))
    return (
        f"<h2>{html.escape(own.name)}</h2>"
        f"<div class='sheet'>{figures}</div><div class='two'>"
        f"<div><h3>Words a caption</h3>{_bars(lengths)}</div>"
        f"<div><h3>Pictures a class</h3>{_bars(class_sizes)}</div>"
        f"<div><h3>Sizes</h3>{_bars(sizes)}</div>"
        f"<div><h3>Words that the vocabulary lacks</h3><p>{html.escape(unknown) or 'None.'}</p>"
        f"</div></div><h3>Most frequent words</h3>{_bars(common)}"
    )


def _binned(values):
    """Counts of values; of many different ones, by ranges of equal width."""
    values = sorted(values)
    if not values:
        return {}
    width = max(-(-(values[-1] - values[0] + 1) // _BARS), 1)
    counts = {}
    for value in values:
        low = values[0] + (value - values[0]) // width * width
        label = str(low) if width == 1 else f"{low} to {low + width - 1}"
        counts[label] = counts.get(label, 0) + 1
    return counts


def _bars(counts):
    most = max(counts.values(), default=1)
    cells = (
        f"<div>{html.escape(str(label))}</div>"
        f'<div><span style="display:inline-block;width:{100 * count / most:.1f}%">{count:,}</span>'
        "</div>"
        for label, count in counts.items()
    )
    return f"<div class='bars'>{''.join(cells)}</div>"


def _repeats(surveys, repeats, thumbnails):
    groups, pairs = repeats
    across = sum(len({located(surveys, n)[0].name for n in group}) > 1 for group in groups)
    near_across = sum(
        located(surveys, one)[0] is not located(surveys, other)[0] for one, other, _ in pairs
    )
    text = (
        f"<p>{len(groups):,} pictures are there more than once ({across:,} of them in two "
        f"splits), and {len(pairs):,} pairs are nearly alike ({near_across:,} across splits): they "
        f"differ in at most {duplicates.NEAR} of 256 bits of a difference hash.</p>"
    )
    figures = "".join(_pair(surveys, pair, thumbnails) for pair in _shown(repeats))
    return f"{text}<div class='sheet'>{figures}</div>"


def shown_repeats(surveys: Sequence[SplitSurvey], repeats: Repeats) -> list[tuple[str, int]]:
    """(split, row) of the pictures that the page shows as repeating."""
    numbers = [number for pair in _shown(repeats) for number in pair[:2]]
    return [(own.name, row) for own, row in (located(surveys, number) for number in numbers)]


def _shown(repeats):
    groups, pairs = repeats
    return ([(group[0], group[1], 0) for group in groups] + pairs)[:_PAIRS]


def _pair(surveys, pair, thumbnails):
    images, labels = [], []
    for number in pair[:2]:
        own, row = located(surveys, number)
        images.append(_image(thumbnails[own.name, row]))
        labels.append(html.escape(f"{own.name}: {own.names[row]}"))
    how = "equal" if not pair[2] else f"{pair[2]} bits"
    return (
        f"<figure>{''.join(images)}<figcaption>{how}<br>{'<br>'.join(labels)}</figcaption></figure>"
    )


def _image(data):
    with Image.open(io.BytesIO(data)) as picture:
        picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=80)
    return html_page.image(file.getvalue(), "jpeg")
