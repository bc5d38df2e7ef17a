"""Response headers of the public door (OWASP ASVS 5.0, chapter V3)."""

from __future__ import annotations

from flask import Flask, Response, request

from app.config import Settings


def init(app: Flask, settings: Settings) -> None:
    # Chromium applies form-action to the redirect after a POST: with 'self' alone the way to the viewer
    # is blocked.
    viewers = " ".join(sorted({archive.public_origin for archive in settings.archives}))
    policy = "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            f"form-action 'self' {viewers}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )

    @app.after_request
    def add(response: Response) -> Response:
        headers = response.headers
        headers["Content-Security-Policy"] = policy
        # With no-referrer, the CSRF check refuses every POST over https: it wants to see the referrer.
        headers["Referrer-Policy"] = "same-origin"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["X-Robots-Tag"] = "noindex, nofollow"
        # The camera reads a sheet's QR on the landing page, and is nobody's business anywhere else.
        camera = "self" if request.endpoint in ("patient.landing", "patient.prove") else ""
        headers["Permissions-Policy"] = f"camera=({camera}), microphone=(), geolocation=()"
        headers["Accept-CH"] = "Sec-CH-UA-Mobile"
        if settings.is_https:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        is_public = request.endpoint in ("static", "patient.brand_css", "patient.logo")
        if not is_public or response.status_code >= 400:
            headers["Cache-Control"] = "no-store"
        return response
