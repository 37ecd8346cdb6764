"""Decides which birds to draw: new species in two splits, or stand-ins for real CUB's pictures."""

import dataclasses
import os
import pathlib

import numpy as np

from data_pipeline.drawn.birds import COLOURS, DIRECTIONS, PARTS, SECONDARY, Box
from data_pipeline.drawn.perches import PERCHES
from data_pipeline.drawn.scenery import BACKDROPS
from data_pipeline.drawn.wording import pick
from data_pipeline.support.errors import UserError
from data_pipeline.support.pickles import safe_load_pickle

# What captions can tell of a bird, and its values.
ATTRIBUTES = {
    **dict.fromkeys(PARTS, tuple(COLOURS)),
    **{key: tuple(dict.fromkeys(values)) for key, values in SECONDARY.items()},
    "perch": PERCHES,
    "direction": DIRECTIONS,
    "backdrop": BACKDROPS,
}
_KINDS = {"short": "Warbler", "stout": "Finch", "long": "Creeper", "curved": "Thrasher"}
# Numbers of the random streams drawn from one seed.
_TRIPLES, _SPECIES, _CLASSES, _SCENES, _INDIVIDUALS = range(5)
# Individuals differ from their species in these: a caption must not determine the whole bird.
_INDIVIDUAL = ("size", "tail", "crest", "eyering", "wingbars", "legs")
_INDIVIDUALITY = 0.5


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture to draw.

    Attributes:
        image_id: its number in images.txt; with the seed it decides everything random about it.
        name: "<class>/<stem>".
        class_id: from 1.
        split: "train" or "test".
        attributes: of the bird.
        box: where the bird has to be, in pixels; None if the drawing decides.
        captions: lines to use instead of captions of the attributes.
    """

    image_id: int
    name: str
    class_id: int
    split: str
    attributes: dict[str, str]
    box: Box | None = None
    captions: tuple[str, ...] | None = None


def plan(
    num_train: int, num_test: int, num_species: int | None, seed: int, variety: str
) -> tuple[list[Picture], list[str]]:
    """Plans a data set of new species, spread evenly over the pictures.

    Args:
        num_train: pictures of the train split.
        num_test: pictures of the test split.
        num_species: classes, divided between the splits in proportion to the pictures; by default
            one for each triple of colours, or fewer if a species would have fewer than four
            pictures.
        seed: decides species and splits.
        variety: "plain" birds all sit on branches.

    Returns:
        The pictures in the order of their ids, and the classes' directory names in the order of the
        class ids.

    Raises:
        UserError: the numbers do not fit together.
    """
    sizes = {"train": num_train, "test": num_test}
    if min(sizes.values()) < 1:
        raise UserError(
            f"{num_train} train and {num_test} test pictures: each split needs at least one"
        )
    total = num_train + num_test
    if num_species is None:
        num_species = min(len(COLOURS) ** len(PARTS), max(total // 4, 2))
    num_test_species = min(max(round(num_species * num_test / total), 1), num_species - 1)
    counts = {"train": num_species - num_test_species, "test": num_test_species}
    if num_species < 2 or any(counts[split] > sizes[split] for split in sizes):
        raise UserError(
            f"{num_species} species for {num_train} train and {num_test} test pictures: ask for two"
            " species or more, and for no more than there are pictures"
        )
    digits = max(3, len(str(num_species)))
    pictures: list[Picture] = []
    classes: list[str] = []
    begun = {"train": 0, "test": 0}
    for class_id, (split, attributes) in enumerate(_species(counts, seed), start=1):
        name = _name(attributes)
        classes.append(f"{class_id:0{digits}d}.{name}")
        share = sizes[split] // counts[split] + (begun[split] < sizes[split] % counts[split])
        begun[split] += 1
        for number in range(1, share + 1):
            image_id = len(pictures) + 1
            scene = {"perch": "branch"} if variety == "plain" else _scene(seed, image_id)
            stem = f"{name}_{number:04d}_{image_id:06d}"
            full_name = f"{classes[-1]}/{stem}"
            own = attributes | _individual(seed, image_id) | scene
            pictures.append(Picture(image_id, full_name, class_id, split, own))
    return pictures, classes


def plan_stand_ins(
    metadata_dir: str | os.PathLike,
    limit: int | None,
    seed: int,
    captions_sample: str | os.PathLike | None = None,
) -> tuple[list[Picture], list[str]]:
    """Plans pictures under the names, class ids, splits and boxes of real CUB.

    Args:
        metadata_dir: folder of CUB_200_2011/{images,bounding_boxes,image_class_labels,classes}.txt
            and {train,test}/filenames.pickle.
        limit: number of pictures, spread evenly over each split in proportion to its size; by
            default all.
        seed: decides what the birds of each class look like.
        captions_sample: a text file of captions; the first pictures get ten of its lines each.

    Returns:
        As `plan`; the ids are CUB's own.

    Raises:
        UserError: the metadata are incomplete or contradict each other, or `limit` is out of range.
    """
    metadata_dir = pathlib.Path(metadata_dir)
    tables = {
        table: _read_table(metadata_dir / "CUB_200_2011" / f"{table}.txt")
        for table in ("images", "bounding_boxes", "image_class_labels", "classes")
    }
    ids = {name.removesuffix(".jpg"): image_id for image_id, name in tables["images"].items()}
    names = {
        split: safe_load_pickle(metadata_dir / split / "filenames.pickle")
        for split in ("train", "test")
    }
    total = sum(map(len, names.values()))
    limit = total if limit is None else limit
    if not 2 <= limit <= total:
        raise UserError(f"limit is {limit}: {metadata_dir} has {total} pictures, ask for 2 or more")
    num_test = min(max(round(limit * len(names["test"]) / total), 1), limit - 1)
    species = _species({"train": len(tables["classes"]), "test": 0}, seed)
    pictures = []
    for split, number in (("train", limit - num_test), ("test", num_test)):
        for place in np.linspace(0, len(names[split]) - 1, number).astype(int):
            name = names[split][place]
            try:
                image_id = ids[name]
                class_id = int(tables["image_class_labels"][image_id])
                box = tuple(float(value) for value in tables["bounding_boxes"][image_id].split())
            except KeyError:
                raise UserError(
                    f"{metadata_dir}: {name} of {split}/filenames.pickle is missing in images.txt,"
                    " bounding_boxes.txt or image_class_labels.txt: fetch the metadata again"
                ) from None
            attributes = species[class_id - 1][1] | _scene(seed, image_id)
            pictures.append(Picture(image_id, name, class_id, split, attributes, box))
    pictures.sort(key=lambda picture: picture.image_id)
    if captions_sample is not None:
        pictures = _with_captions(pictures, pathlib.Path(captions_sample))
    return pictures, [tables["classes"][class_id] for class_id in sorted(tables["classes"])]


def _read_table(path: pathlib.Path) -> dict[int, str]:
    """Reads one of CUB's tables: "<id> <text>" per line."""
    if not path.exists():
        raise UserError(f"{path} does not exist: metadata_dir must hold CUB's metadata")
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = (line.split(maxsplit=1) for line in lines if line.strip())
    return {int(number): text for number, text in rows}


def _with_captions(pictures: list[Picture], path: pathlib.Path) -> list[Picture]:
    if not path.exists():
        raise UserError(f"captions_sample {path} does not exist")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    sets = [tuple(lines[start : start + 10]) for start in range(0, len(lines) - 9, 10)]
    return [
        dataclasses.replace(picture, captions=sets[place]) if place < len(sets) else picture
        for place, picture in enumerate(pictures)
    ]


def _species(counts: dict[str, int], seed: int) -> list[tuple[str, dict[str, str]]]:
    """Split and attributes of every species, in the order of their class ids."""
    number = sum(counts.values())
    triples = _triples(seed)[:number]
    num_test = round(len(triples) * counts["test"] / number)
    own = {"test": triples[:num_test], "train": triples[num_test:]}
    rng = np.random.default_rng([seed, _SPECIES])
    species: list[tuple[str, dict[str, str]]] = []
    for split in ("test", "train"):
        for index in range(counts[split]):
            attributes = dict(zip(PARTS, own[split][index % len(own[split])], strict=True))
            drawn = attributes | _secondary(rng)
            while (split, drawn) in species:
                drawn = attributes | _secondary(rng)
            species.append((split, drawn))
    order = np.random.default_rng([seed, _CLASSES]).permutation(number)
    return [species[place] for place in order]


def _triples(seed: int) -> list[tuple[str, ...]]:
    """All triples of colours, shuffled; each block of nine has every colour once for each part."""
    rng = np.random.default_rng([seed, _TRIPLES])
    count = len(COLOURS)
    orders = [rng.permutation(list(COLOURS)).tolist() for _ in PARTS]
    triples = []
    for block in rng.permutation(count**2):
        steps = (0, block // count, block % count)
        triples += [
            tuple(order[(place + step) % count] for order, step in zip(orders, steps, strict=True))
            for place in range(count)
        ]
    return triples


def _name(attributes: dict[str, str]) -> str:
    belly, wing, crown = (attributes[part].capitalize() for part in PARTS)
    return f"{crown}_crowned_{wing}_winged_{belly}_{_KINDS[attributes['bill']]}"


def _secondary(rng: np.random.Generator) -> dict[str, str]:
    return {key: pick(rng, values) for key, values in SECONDARY.items()}


def _individual(seed: int, image_id: int) -> dict[str, str]:
    """The attributes in which a bird differs from its species, as birds do by age and sex."""
    rng = np.random.default_rng([seed, _INDIVIDUALS, image_id])
    own = {key: pick(rng, SECONDARY[key]) for key in _INDIVIDUAL}
    return {key: value for key, value in own.items() if rng.random() < _INDIVIDUALITY}


def _scene(seed: int, image_id: int) -> dict[str, str]:
    """What one picture of full variety shows beside the bird's own features."""
    rng = np.random.default_rng([seed, _SCENES, image_id])
    tables = {"perch": PERCHES, "direction": DIRECTIONS, "backdrop": BACKDROPS}
    return {key: pick(rng, values) for key, values in tables.items()}
