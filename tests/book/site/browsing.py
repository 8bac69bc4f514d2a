"""A visit to a page of the book, and the pages that most tests open."""

from typing import Any

STUDY = "book/studies/trifeature.html"
FIRST = "book/studies/welcome.html"
AUDIT = "book/studies/audit.html"
STUDIES = ["trifeature", "cifar10", "svhn", "cifar100", "tiny_imagenet", "imagenet", "celeba"]
STUDIES += ["hatexplain", "faces"]


class Visit:
    """One page in its own browser context, and what happened on it."""

    def __init__(self, browser: Any, allowed: tuple[str, ...], **options: Any) -> None:
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, **options}
        )
        self.context.route("**/*", self._gate)
        self.allowed = allowed
        self.foreign: list[str] = []
        self.errors: list[str] = []
        self.failed: list[str] = []
        self.bodies: dict[str, bytes] = {}
        self.page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("requestfailed", lambda request: self.failed.append(request.url))
        self.page.on("response", self._response)

    def _gate(self, route: Any) -> None:
        url = route.request.url
        if url.startswith((*self.allowed, "data:", "blob:")):
            route.continue_()
        else:
            self.foreign.append(url)
            route.abort()

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.type}: {message.text}")

    def _response(self, response: Any) -> None:
        if response.url.startswith("http") and response.status >= 400:
            self.failed.append(f"{response.status} {response.url}")

    def open(self, url: str) -> Any:
        self.page.goto(url)
        self.page.evaluate("() => window.kdfair && window.kdfair.ready")
        return self.page
