"""The page that draws the document of the API: from what lies here, and from nowhere else."""

import re

from aiohttp.test_utils import TestClient

LOADED = re.compile(r'<(?:script|link)\b[^>]{0,200}?(?:src|href)="([^"]{1,200})"')
NO_ICON = "data:,"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self';"


async def test_what_the_page_loads_lies_here(client: TestClient) -> None:
    """Every script and style answers, none is written into the page, and the policy is ours."""
    page = await client.get("/docs")
    text = await page.text()
    loaded = set(LOADED.findall(text)) - {NO_ICON}

    assert 200 == page.status
    assert POLICY in page.headers["Content-Security-Policy"]
    assert {
        "/web/vendor/swagger-ui-bundle.js",
        "/web/vendor/swagger-ui.css",
        "/web/docs.js",
    } <= loaded
    for path in loaded:
        assert path.startswith("/web/"), path
        assert 200 == (await client.get(path)).status, path
    assert not re.search(r"<style|\bstyle=|\bon[a-z]+=|<script>|https?://", text)


async def test_the_viewer_asks_for_our_document_alone(client: TestClient) -> None:
    """Swagger UI would send the document to a validator elsewhere, unless it is turned off."""
    script = await (await client.get("/web/docs.js")).text()

    assert 'url: "/openapi.json"' in script
    assert "validatorUrl: null" in script
    assert 'supportedSubmitMethods: ["get"]' in script
    assert 200 == (await client.get("/openapi.json")).status
