"""Writes the site: the page, the model's LiteRT file, and LiteRT.js from its npm packages."""

import os
import shutil
import tempfile
from pathlib import Path

from data_pipeline.support.errors import UserError
from data_pipeline.support.scratch import scratch
from export import tflite

STATIC = Path(__file__).parent / "static"
PAGE = ("index.html", "page.css", "page.js", "text_to_image.js")
VARIANT = "float16"  # half of float32's download; its pictures differ from Keras' by a level
MODEL = f"text_to_image_{VARIANT}.tflite"
LITERT, LICENSE = "litert", "LICENSE.litert.txt"
LITERT_VERSION = "2.5.3"
# LiteRT.js takes the first where the browser has relaxed SIMD, the second where it has not, and the
# third where there is a graphics card.
_BUILDS = ("litert_wasm_internal", "litert_wasm_compat_internal", "litert_wasm_jspi_internal")
_WASM_UTILS = '"@litertjs/wasm-utils"'


def export(
    model_dir: str | Path,
    output_dir: str | Path,
    litert_dir: str | Path = "litert",
    overwrite: bool = False,
) -> None:
    """Writes a model as a site; all of it or nothing. Other files in the folder stay.

    Args:
        model_dir: A model directory with a generator.
        output_dir: Folder for the site.
        litert_dir: The folder in which `npm install --prefix` has put `@litertjs/core`.
        overwrite: Whether an earlier site in the folder may be replaced.

    Raises:
        UserError: LiteRT.js is not in `litert_dir`, or see `export.tflite.export`.
    """
    output_dir = Path(output_dir)
    parts = _litert_parts(Path(litert_dir))
    if output_dir.exists() and not output_dir.is_dir():
        raise UserError(f"{output_dir} is a file: give a folder")
    earlier = [output_dir / name for name in (*PAGE, MODEL, LITERT) if (output_dir / name).exists()]
    if earlier and not overwrite:
        raise UserError(f"{earlier[0]} exists already: give another folder, or overwrite it")
    with tempfile.TemporaryDirectory() as phone:
        tflite.export(model_dir, phone, [VARIANT])
        parts[MODEL] = (Path(phone) / MODEL).read_bytes()
    with scratch(output_dir / "site", "partial") as folder:
        for name in PAGE:
            shutil.copyfile(STATIC / name, folder / name)
        (folder / LITERT).mkdir()
        for name, content in parts.items():
            (folder / name).write_bytes(content)
        if (output_dir / LITERT).is_dir():
            shutil.rmtree(output_dir / LITERT)
        for path in folder.iterdir():
            os.replace(path, output_dir / path.name)


def _litert_parts(directory):
    """The files of LiteRT.js, by the names that they get in the site."""
    packages = directory / "node_modules" / "@litertjs"
    try:
        script = (packages / "core" / "dist" / "index.js").read_text(encoding="utf-8")
        parts = {
            # A browser finds a module by its address, not by its package's name.
            "index.js": script.replace(_WASM_UTILS, '"./wasm_utils.js"').encode(),
            "wasm_utils.js": (packages / "wasm-utils" / "dist" / "index.js").read_bytes(),
            "LICENSE.txt": (STATIC / LICENSE).read_bytes(),
        }
        for build in _BUILDS:
            for name in (f"{build}.js", f"{build}.wasm"):
                parts[name] = (packages / "core" / "wasm" / name).read_bytes()
    except OSError as error:
        raise UserError(
            f"LiteRT.js is not in {directory} ({Path(error.filename).name} is missing): "
            f"npm install --prefix={directory} @litertjs/core@{LITERT_VERSION}"
        ) from error
    return {f"{LITERT}/{name}": content for name, content in parts.items()}
