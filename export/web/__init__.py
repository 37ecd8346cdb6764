"""Exports a model directory as a web page that draws in the visitor's browser, with no server.

    npm install --prefix=litert @litertjs/core@2.5.3
    python -m export.web --model_dir=<model> --output_dir=site
    python -m http.server --directory=site

The first command fetches LiteRT.js once; the second works offline. Any static host serves site:

    index.html, page.css, page.js    the page
    text_to_image.js                 tokenizer, noise and model, for pages of your own
    text_to_image_float16.tflite     the model, its words and its card
    litert/                          LiteRT.js and its licence
"""

from export.web.writer import export

__all__ = ["export"]
