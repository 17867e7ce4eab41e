"""The tasks and their prompts.

DeepSeek-OCR is not tuned for chat: it answers well only to the prompts of its training. So a task has a fixed prompt
(from README and `infer` of the official repository), and the operator must enable free prompts. `<image>` stands for
all vision tokens of the page.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fovea.contract import CONTRACT
from fovea.language.tokenizer import Tokenizer

MAX_QUERY = 200
MAX_PROMPT: int = CONTRACT["max_prompt"]


class InvalidTask(ValueError):
    """The task or prompt is not supported. Clients see the message."""


@dataclass(frozen=True, slots=True)
class Task:
    """`template` is encoded with its markers; `{query}` is replaced by plain text. `spots`: the labels of the answer
    are words of the page, each with its boxes, and not names of block types.
    """

    name: str
    template: str
    takes_query: bool = False
    spots: bool = False


TASKS = {
    task.name: task
    for task in (
        Task("markdown", "<image>\n<|grounding|>Convert the document to markdown."),
        Task("free", "<image>\nFree OCR."),
        Task("ocr", "<image>\n<|grounding|>OCR this image.", spots=True),
        Task("figure", "<image>\nParse the figure."),
        Task("describe", "<image>\nDescribe this image in detail."),
        Task("locate", "<image>\nLocate <|ref|>{query}<|/ref|> in the image.", takes_query=True, spots=True),
    )
}
DOCUMENT_TASKS = {name: TASKS[name] for name in ("markdown", "free")}
"""Those of DeepSeek-OCR 2."""
PARSING_TASKS = {"markdown": Task("markdown", "<image>document parsing.")}
"""Those of Unlimited-OCR (from its README), for one page."""
PAGES = Task("markdown", "<image>Multi page parsing.")
"""Unlimited-OCR's prompt for several pages: `<image>` stands for the vision tokens of all of them."""
DEEP = "deep"
"""The markdown task, followed by the figure task on every crop (`fovea.output.deep`)."""
TASK_NAMES = tuple(CONTRACT["questions"])
"""The tasks that read a page: those of `TASKS`, and `DEEP`."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A valid prompt: the task and, if the task takes one, the client's text."""

    task: Task
    query: str | None = None

    def ids(self, tokenizer: Tokenizer, image_tokens: int) -> list[int]:
        """The token ids: [begin] and the prompt, with `<image>` repeated `image_tokens` times. No chat template."""
        values = {} if self.query is None else {"query": self.query}
        ids = [tokenizer.bos]
        for token in tokenizer.encode_template(self.task.template, **values):
            ids += [token] * (image_tokens if token == tokenizer.image else 1)
        return ids


def names_of(tasks: Mapping[str, Task]) -> tuple[str, ...]:
    """The names of `tasks`, and of those that are made of them."""
    return tuple(name for name in TASK_NAMES if name in tasks or (name == DEEP and "figure" in tasks))


def prompt_for(
    task: str, prompt: str | None, free_prompts: bool, tasks: Mapping[str, Task] = TASKS
) -> Prompt:
    """The prompt for a request to a model with `tasks`. Raises `InvalidTask`.

    For `locate`, `prompt` is the text to locate. For other tasks it replaces the official prompt, if free prompts are
    enabled.
    """
    names = names_of(tasks)
    if task not in names:
        raise InvalidTask(f"unknown task; one of {', '.join(names)}")
    known = tasks["markdown" if task == DEEP else task]
    words = (prompt or "").strip()
    if known.takes_query:
        return Prompt(
            known, _checked(words, MAX_QUERY, "the task locate requires a prompt: the text to locate")
        )
    if not words:
        return Prompt(known)
    if task == DEEP:
        raise InvalidTask("the task deep does not support a prompt")
    if not free_prompts:
        raise InvalidTask("free prompts are not enabled for this model; choose a task")
    return Prompt(Task(task, "<image>\n{query}"), _checked(words, MAX_PROMPT, "the prompt is empty"))


def _checked(words: str, limit: int, empty: str) -> str:
    if not any(character.isalnum() for character in words):
        raise InvalidTask(empty)
    if len(words) > limit:
        raise InvalidTask(f"the prompt is longer than {limit} characters")
    if not all(character.isprintable() for character in words):
        raise InvalidTask("the prompt must not contain line breaks or control characters")
    return words
