"""The report's page: figures between floor and ceiling, the sheets, and how to go on."""

from pathlib import Path

ROWS = {
    "faithfulness": "faithfulness",
    "faithfulness_belly": "- belly",
    "faithfulness_wing": "- wings",
    "faithfulness_crown": "- crown",
    "r_precision": "R-precision",
    "r_precision_permuted": "R-precision, colours permuted",
    "r_precision_independent": "R-precision, independent encoder",
    "r_precision_permuted_independent": "R-precision, colours permuted, independent encoder",
    "recall_at_1": "DAMSM recall@1",
    "recall_at_5": "DAMSM recall@5",
    "seed_std": "difference between seeds",
}

_PAGE = """# Birds from captions

The model **trained here**: config `{config}`, {steps:,} steps of {batch_size} pictures{minutes}.
The **bundled** model of this size, `bundled:64`: config `{bundled_config}`, {bundled_steps:,} steps
of {bundled_batch_size} pictures. Both were exported as SavedModels, loaded in a fresh process and
given {captions} captions of {species} species that are not in the training data.

## Figures

| | chance | colour noise | untrained | **trained here** | **bundled** | real pictures |
| --- | --- | --- | --- | --- | --- | --- |
{table}

The floors: *colour noise* is blotches in the caption's colours without a bird, *untrained* a
generator (for recall: encoders) of random weights. The ceiling: real pictures of the same captions.

- **Faithfulness**: how often a classifier, trained on real pictures of other species, reads from
  a part of the bird the colour that the caption says.
- **R-precision**: how often DAMSM ranks a picture's own caption above {wrong} of other species;
  *colours permuted*: above the same caption with its colours exchanged among the parts, of which
  there are {permuted_wrong:.1f} on average ({permuted_captions} captions name more than one
  colour). Each model is judged by the DAMSM that trained it, which rewards it; *independent* is
  the other model's DAMSM. The floors and real pictures are judged by the DAMSM trained here, and
  by the bundled one as the independent.
- **DAMSM recall**: how often a caption finds its real picture first, or among the first five, of
  {species} pictures, one a species. It tells about the encoders, not the generator.
- **Difference between seeds**: standard deviation of a pixel in [-1, 1] over {seeds} seeds of one
  caption; for real pictures over those of one species.

## Samples

Captions of unseen species, five seeds each, at the right a real picture. Below, for the first seed,
where the last stage looks for each word.

**Trained here**

![Samples of the model trained here]({pictures}/samples_trained.png)

**Bundled**

![Samples of the bundled model]({pictures}/samples_bundled.png)

## Colours exchanged

One caption, one seed; only the colour words change (crown / belly / wings).

**Trained here**

![Colours exchanged, model trained here]({pictures}/colours_trained.png)

**Bundled**

![Colours exchanged, bundled model]({pictures}/colours_bundled.png)

## Training

![Losses over time]({pictures}/losses.png)

| | trained here | bundled |
| --- | --- | --- |
| seconds per step, DAMSM | {damsm_seconds:.3f} | |
| seconds per step, GAN | {gan_seconds:.3f} | |
{sizes}

## Go on

    {commands}
"""


def commands(workdir: str | Path, python: str = "python") -> list[str]:
    """The commands to go on with, one a line."""
    return [
        f"{python} -m tensorboard.main --logdir={workdir}",
        f"{python} -m t2i_tf.generate --model_dir={workdir} "
        '--text="a small blue bird with a red crown" --num_images=4 --attention '
        "--output_dir=pictures",
        f"{python} -m t2i_tf.generate "
        '--text="a small blue bird with a red crown" --output_dir=pictures_bundled',
    ]


def page(report: dict, pictures: str, workdir: str | Path) -> str:
    """Writes the page in Markdown.

    Args:
        report: The content of report.json.
        pictures: The folder of the sheets, relative to the page.
        workdir: The GAN's run, for the commands.
    """
    trained, bundled, judged = report["trained"], report["bundled"], report["judged"]
    minutes = ""
    if report["minutes"] is not None:
        minutes = f", in all {report['minutes']:.1f} minutes from the data to this report"
    return _PAGE.format(
        minutes=minutes,
        **{key: trained[key] for key in ("config", "steps", "batch_size")},
        **{f"bundled_{key}": bundled[key] for key in ("config", "steps", "batch_size")},
        captions=judged["captions"],
        species=judged["species"],
        seeds=judged["seeds"],
        wrong=judged["wrong_captions"],
        permuted_wrong=judged["permuted_wrong_captions"],
        permuted_captions=judged["permuted_captions"],
        table="\n".join(_rows(report)),
        pictures=pictures,
        damsm_seconds=report["seconds_per_step"]["damsm"],
        gan_seconds=report["seconds_per_step"]["gan"],
        sizes="\n".join(_sizes(trained, bundled)),
        commands="\n    ".join(commands(workdir)),
    )


def _rows(report):
    floor = report["floor"]
    columns = [floor["chance"], floor["colour_noise"], floor["untrained"]]
    columns += [report["trained"], report["bundled"], report["ceiling"]]
    for name, title in ROWS.items():
        cells = ["" if name not in c else f"{c[name]:.3f}" for c in columns]
        yield f"| {title} | {' | '.join(cells)} |"


def _sizes(trained, bundled):
    for network in trained["parameters"]:
        counts = (model["parameters"][network] for model in (trained, bundled))
        title = network.replace("_", " ")
        yield f"| {title}, parameters | {' | '.join(f'{count:,}' for count in counts)} |"
    sizes = (model["saved_model_bytes"] / 1e6 for model in (trained, bundled))
    yield f"| SavedModel, MB | {' | '.join(f'{size:.1f}' for size in sizes)} |"
