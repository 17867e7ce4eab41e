"""What can be asked of a page, and the exact words that ask it.

DeepSeek-OCR was never tuned for chat: it answers the prompts it was trained with and drifts on any other.
So a task is a name with fixed wording (README and `infer` of the official repository; trailing blanks are
stripped there too), and free prompts need the operator's consent. `<image>` stands for all vision tokens of
the page.
"""

from dataclasses import dataclass

from fovea.contract import CONTRACT
from fovea.language.tokenizer import Tokenizer

MAX_QUERY = 200
MAX_PROMPT = 2000


class InvalidTask(ValueError):
    """The request names a task or prompt that cannot be run. The message is for the person who asked."""


@dataclass(frozen=True, slots=True)
class Task:
    """`template` is encoded with its markers, `{query}` is filled with plain text."""

    name: str
    template: str
    takes_query: bool = False


TASKS = {
    task.name: task
    for task in (
        Task("markdown", "<image>\n<|grounding|>Convert the document to markdown."),
        Task("free", "<image>\nFree OCR."),
        Task("figure", "<image>\nParse the figure."),
        Task("describe", "<image>\nDescribe this image in detail."),
        Task("locate", "<image>\nLocate <|ref|>{query}<|/ref|> in the image.", takes_query=True),
    )
}
DEEP = "deep"
"""The markdown task, followed by the figure task on every crop (`fovea.output.deep`)."""
TASK_NAMES = tuple(CONTRACT["questions"])
"""The tasks that read a page: those of `TASKS`, and `DEEP`."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A validated question: the task, and the words of the person where it takes any."""

    task: Task
    query: str | None = None

    def ids(self, tokenizer: Tokenizer, image_tokens: int) -> list[int]:
        """[begin] + prompt with `<image>` repeated `image_tokens` times; no end token, no chat template."""
        values = {} if self.query is None else {"query": self.query}
        ids = [tokenizer.bos]
        for token in tokenizer.encode_template(self.task.template, **values):
            ids += [token] * (image_tokens if token == tokenizer.image else 1)
        return ids


def prompt_for(task: str, prompt: str | None, free_prompts: bool) -> Prompt:
    """The question for a request. Raises `InvalidTask`.

    `locate` takes what to look for from `prompt`; on any other task a prompt replaces the official wording,
    which the operator must have allowed.
    """
    if task not in TASK_NAMES:
        raise InvalidTask(f"unknown task; one of {', '.join(TASK_NAMES)}")
    known = TASKS["markdown" if task == DEEP else task]
    words = (prompt or "").strip()
    if known.takes_query:
        return Prompt(known, _checked(words, MAX_QUERY, "the locate task needs a prompt: what to look for"))
    if not words:
        return Prompt(known)
    if task == DEEP:
        raise InvalidTask("the deep task takes no prompt")
    if not free_prompts:
        raise InvalidTask("free prompts are not enabled for this model; choose a task")
    return Prompt(Task(task, "<image>\n{query}"), _checked(words, MAX_PROMPT, "the prompt is empty"))


def _checked(words: str, limit: int, empty: str) -> str:
    if not any(character.isalnum() for character in words):
        raise InvalidTask(empty)
    if len(words) > limit:
        raise InvalidTask(f"the prompt is longer than {limit} characters")
    if not all(character.isprintable() for character in words):
        raise InvalidTask("the prompt holds line breaks or control characters")
    return words
