"""Builds the API reference from the docstrings, as web pages; a warning ends it.

python docs/api.py OUTPUT_DIR
"""

import pkgutil
import sys
import warnings
from pathlib import Path

import pdoc

import t2i_tf

PACKAGES = ("data_pipeline", "configs", "export", "!export.mobile")


def main(output_dir: Path) -> None:
    """Writes the pages of all packages."""
    for name in t2i_tf.__all__:  # They are imported on first use, which pdoc is none of.
        setattr(t2i_tf, name, getattr(t2i_tf, name))
    warnings.filterwarnings("error", module="pdoc")
    pdoc.render.configure(docformat="google", show_source=False)
    # `__all__` of t2i_tf names the few things that most users need; here its packages follow.
    own = [module.name for module in pkgutil.iter_modules(t2i_tf.__path__, "t2i_tf.")]
    pdoc.pdoc("t2i_tf", *own, *PACKAGES, output_directory=output_dir)
    print(f"{output_dir / 'index.html'}: {len(list(output_dir.rglob('*.html')))} pages")


if __name__ == "__main__":
    main(Path(*sys.argv[1:]))
