"""The Cog runner: takes a prediction's inputs and returns a shard's receipt. `fovea.service.shard` does the work."""

import logging
from typing import Any, Optional

from cog import BaseRunner, Input, concurrent

from fovea.parent import exit_with_parent
from fovea.readers import ALWAYS, ReadRequest, golden, load_readers
from fovea.service.drain import DRAIN
from fovea.service.shard import ShardRequest, run_shard
from fovea.settings import Settings

# `cog build` reads these and the bounds below without running the file, so they are written out here;
# test_inputs.py holds them to the contract.
MODES = ["auto", "tiny", "small", "base", "large", "gundam"]
TASKS = ["markdown", "free", "ocr", "figure", "describe", "locate", "deep", "encode"]

TOKENS = ["none", "keep"]
TEXT_LAYERS = ["auto", "never", "only"]


class Runner(BaseRunner):
    def setup(self) -> None:
        exit_with_parent()
        logging.basicConfig(level=logging.INFO)
        self.settings = Settings.from_environment()
        if self.settings.device == "cuda":
            from fovea.readers.device import device_of  # imported here because it loads PyTorch

            device_of(self.settings)
        self.readers = load_readers(self.settings.models, self.settings)
        if self.settings.golden_page:
            golden.check(self.readers, without_weights=ALWAYS)
        if self.settings.drain_file:
            DRAIN.watch(self.settings.drain_file)
        if self.settings.metrics_port:
            from fovea.engine.metrics import serve  # imported here because it loads PyTorch

            engines = {name: r.engine.metrics for name, r in self.readers.items() if hasattr(r, "engine")}
            serve(engines, self.settings.metrics_port)

    @concurrent(max=8)
    async def run(
        self,
        document: str = Input(description="https: or data: URL of the document", min_length=1),
        pages: str = Input(description="Page numbers such as 1-3,7, from 1; empty for all pages", default=""),
        model: str = Input(
            description="Reader name; empty: the first one of this worker", default="", max_length=64
        ),
        mode: str = Input(description="Vision tokens for a page", default="auto", choices=MODES),
        task: str = Input(description="What to do with a page", default="markdown", choices=TASKS),
        prompt: Optional[str] = Input(  # noqa: UP045 - Cog does not support `str | None`
            description="Free prompt, for readers that accept one", default=None, max_length=4000
        ),
        dpi: int = Input(description="PDF raster resolution", default=144, ge=36, le=400),
        push_url: Optional[str] = Input(  # noqa: UP045
            description="Signed URL to push pages to; without it the output contains the pages", default=None
        ),
        max_pages: int = Input(description="Reject longer documents", default=5000, ge=1),
        traceparent: Optional[str] = Input(  # noqa: UP045
            description="W3C trace context of the request, sent with every push",
            default=None,
            regex="^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
        ),
        token_budget: Optional[int] = Input(  # noqa: UP045
            description="Vision tokens for all budget_pages together; determines the modes",
            default=None,
            ge=1,
        ),
        budget_pages: str = Input(
            description="Pages that share token_budget; empty: the same as pages", default=""
        ),
        sequence_pages: str = Input(
            description="Pages that are read in one sequence, with pages among them; empty: each page alone",
            default="",
        ),
        languages: str = Input(
            description="BCP-47 tags of the document's languages, separated by commas",
            default="",
            max_length=200,
        ),
        witness: bool = Input(description="Check pages with pp-ocr", default=False),
        text_layer: str = Input(
            description="Whether characters come from a PDF's text layer", default="auto", choices=TEXT_LAYERS
        ),
        tokens: str = Input(
            description="keep: push the vision tokens of pages, too", default="none", choices=TOKENS
        ),
        stored_tokens: str = Input(
            description="Pages whose vision tokens can be fetched from push_url", default=""
        ),
        password: Optional[str] = Input(  # noqa: UP045
            description="Password of an encrypted PDF", default=None, max_length=127
        ),
    ) -> Any:
        request = ShardRequest(
            document=document,
            pages=pages,
            model=model or self.settings.models[0],
            options=ReadRequest(
                mode=mode,
                task=task,
                prompt=prompt,
                witness=witness,
                text_layer=text_layer,
                languages=tuple(filter(None, languages.split(","))),
                keep_tokens=tokens == "keep",
            ),
            dpi=dpi,
            push_url=push_url,
            max_pages=max_pages,
            traceparent=traceparent,
            token_budget=token_budget,
            budget_pages=budget_pages,
            sequence_pages=sequence_pages,
            stored_tokens=stored_tokens,
            password=password,
        )
        return await run_shard(request, self.readers, self.settings)
