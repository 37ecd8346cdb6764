"""Writes the report of an evaluation: every figure with everything that decides it."""

import json
from pathlib import Path

from data_pipeline.support.files import write_text


def write(report: dict, folder: Path) -> str:
    """Writes `report.json` and `report.md`, each whole or not at all; returns the Markdown text.

    Args:
        report: The result of `protocol.evaluate`, with `of`, the name of what was measured.
        folder: The folder to write to.
    """
    text = markdown(report)
    write_text(folder / "report.json", json.dumps(report, indent=2) + "\n")
    write_text(folder / "report.md", text)
    return text


def markdown(report: dict) -> str:
    """A report as Markdown: a row for each figure, then what the rows refer to."""
    pictures, real = report["pictures"], report["real"]
    rows, notes = [], []
    drawn = ""
    if "seed" in pictures:
        drawn = (
            f", drawn from test captions with seed {pictures['seed']} "
            f"({pictures['captions_not_read_whole']:,} captions not read whole)"
        )
    for network in report["networks"]:
        scale = network["scale"]
        if score := network.get("inception_score"):
            value = f"{score['mean']:.2f} ± {score['std']:.2f}"
            rows.append((f"Inception Score [{scale}]", value, f"{score['pictures']:,}", ""))
        if "fid" in network:
            against = f"{real['count']:,} of {real['name']}"
            rows.append(
                (f"FID [{scale}]", f"{network['fid']:.2f}", f"{pictures['count']:,}", against)
            )
        notes.append(
            f"- [{scale}] {network['name']}, `{network['weights']}` (SHA-256 "
            f"{network['sha256'][:12]}), pictures resized: {network['resize']}."
        )
        if "fid_colour_noise" in network:
            noise = f"{network['fid_colour_noise']:.2f}"
            rows.append((f"- of colour noise [{scale}]", noise, f"{real['count']:,}", against))
    for judgement in report["r_precision"]:
        judge, of_real = judgement["judge"], judgement["real"]
        rows += [
            (
                f"R-precision [{judge}]",
                f"{judgement['mean']:.2%} ± {judgement['std']:.2%}",
                f"{pictures['count']:,}",
                f"{judgement['wrong_captions']} wrong captions",
            ),
            (
                f"- of real pictures [{judge}]",
                f"{of_real['r_precision']:.2%}",
                f"{of_real['of']:,}",
                f"{of_real['wrong_captions']} wrong captions",
            ),
        ]
        if permuted := judgement.get("permuted"):
            rows.append(
                (
                    f"- colours permuted [{judge}]",
                    f"{permuted['value']:.2%}",
                    f"{permuted['captions']:,}",
                    f"real pictures {permuted['real']:.2%}, chance {permuted['chance']:.2%}",
                )
            )
        for k in (1, 5):
            rows.append(
                (
                    f"- recall@{k} of real pictures [{judge}]",
                    f"{of_real[f'recall_at_{k}']:.2%}",
                    f"{of_real['of']:,}",
                    f"{of_real['of']:,} pictures",
                )
            )
        notes.append(
            f"- [{judge}] DAMSM, `{judgement['weights']}` (SHA-256 {judgement['sha256'][:12]})."
        )
    if read := report.get("faithfulness"):
        for name, figure in read["figures"].items():
            beside = (
                f"{what} {figure[key]:.2%}"
                for key, what in (("real", "real pictures"), ("colour_noise", "colour noise"))
                if figure[key] is not None
            )
            title = name.capitalize().replace("_", ": ")
            rows.append(
                (title, f"{figure['pictures']:.2%}", f"{pictures['count']:,}", ", ".join(beside))
            )
        apart = read["seed_std"]
        rows.append(
            (
                "Difference between seeds",
                f"{apart['pictures']:.3f}",
                f"{apart['seeds']} seeds",
                f"real pictures of a species {apart['real']:.3f}",
            )
        )
        notes.append(
            "- Faithfulness: how often a classifier, trained on real pictures of the training "
            f"species at {read['reader']['size']} px, reads from a picture what its caption says."
        )
    if real:
        notes.append(
            f"- Real pictures: {real['name']}, {real['count']:,}, {real['crop']} (SHA-256 "
            f"{real['sha256'][:12]})."
        )
    return "\n".join(
        [
            f"# {report['of']}",
            "",
            f"{pictures['count']:,} pictures of {pictures['size']} px{drawn}.",
            "",
            "| figure | value | pictures | against |",
            "| --- | --- | --- | --- |",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            "Figures compare only with figures of the same mark, resizing, number of pictures and",
            "real set: every network, and every way to resize for it, has a scale of its own.",
            "",
            *notes,
            "",
        ]
    )
