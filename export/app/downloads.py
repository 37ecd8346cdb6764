"""Files to download, drawn anew from their link, so that none is stored.

/picture.png, /sheet.png, /pictures.zip and /between.webp take what `Asked.query` writes and
`model`, the model's number; /between.webp also `last` and `steps`.
"""

import dataclasses
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from data_pipeline.support.errors import UserError
from export.app import pictures
from export.app.asked import Asked
from export.app.studio import Studio
from t2i_tf.models.names import picture_name

Make = Callable[[Asked, Mapping[str, str], str], tuple[bytes, str]]


def routes(studio: Studio) -> list[Route]:
    """The routes of all downloads."""

    def picture(asked, query, visitor):
        asked = dataclasses.replace(asked, number=1)
        name, drawn = studio.drawn(asked, query.get("model", 0), visitor)
        return pictures.picture_png(drawn[0], asked, name), "image/png"

    def sheet(asked, query, visitor):
        name, drawn = studio.drawn(asked, query.get("model", 0), visitor)
        return pictures.sheet_png(drawn, asked, name), "image/png"

    def zipped(asked, query, visitor):
        name, drawn = studio.drawn(asked, query.get("model", 0), visitor)
        return pictures.archive(drawn, asked, name), "application/zip"

    def between(asked, query, visitor):
        wanted = query.get("last"), query.get("steps", 8), query.get("model", 0)
        return pictures.animation(studio.way(asked, *wanted, visitor)), "image/webp"

    made = {"picture.png": picture, "sheet.png": sheet}
    made |= {"pictures.zip": zipped, "between.webp": between}
    return [Route(f"/{path}", _endpoint(path, make)) for path, make in made.items()]


def _endpoint(path: str, make: Make):
    def answer(request: Request) -> Response:  # Starlette runs it in a thread.
        try:
            asked = Asked.from_query(request.query_params)
            content, kind = make(asked, request.query_params, request.client.host)
        except UserError as error:
            return PlainTextResponse(f"{error}\n", status_code=400)
        name = f"{picture_name(0, asked.caption, asked.seed)}.{path}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type=kind, headers=headers)

    return answer
