"""The clinic's colour and logo, for browsers."""

from __future__ import annotations

from flask import abort, make_response
from flask.typing import ResponseReturnValue

from app.web import brand
from app.web.access import Who, allow
from app.web.context import services
from app.web.patient import blueprint


@blueprint.get("/brand.css")
@allow(Who.EVERYBODY)
def brand_css() -> ResponseReturnValue:
    response = make_response(brand.stylesheet(services().site.facts().colour))
    response.mimetype = "text/css"
    response.cache_control.public = True
    response.cache_control.max_age = 3600
    return response


@blueprint.get("/logo.png")
@allow(Who.EVERYBODY)
def logo() -> ResponseReturnValue:
    image = services().site.facts().logo or abort(404)
    response = make_response(image)
    response.mimetype = "image/png"
    response.cache_control.public = True
    response.cache_control.max_age = 3600
    return response
