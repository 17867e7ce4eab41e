"""Byte-level BPE with DeepSeek-OCR's markers.

The base vocabulary comes from a `tokenizer.json`, and the `tokenizers` library runs the BPE. Added tokens ("markers":
`<image>`, `<|ref|>`, `<td>` …) are handled here and not by the library, because the library finds them in *any* text,
and text from a user or a page must never become a marker. (The library's switch for this covers only tokens that are
flagged as special, which some of the markers are not.)

- `encode` treats its whole argument as plain text.
- `encode_template` recognizes markers. Use it only for the fixed prompts of `fovea.language.tasks`.
- `TextStream` decodes ids piece by piece and tells for each piece whether it is a marker. So a "<|ref|>" that is
  *printed* on the page is not confused with the model's markup.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers

# Tokens that DeepSeek-OCR adds to the DeepSeek-V3 vocabulary, in id order from 128815 (tokenizer_config.json).
OCR_MARKERS = (
    "<image>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>",
    "<td>", "</td>", "<tr>", "</tr>", "<|User|>", "<|Assistant|>",
)  # fmt: skip
BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"

# Ids of the official tokenizer, fixed by the checkpoint's embedding rows.
OFFICIAL_IDS = {BOS: 0, EOS: 1, PAD: 2} | {marker: 128815 + i for i, marker in enumerate(OCR_MARKERS)}

# Markers with a meaning in generated text. Any other added token there is noise.
LAYOUT_MARKERS = frozenset({"<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>"})
TABLE_MARKERS = frozenset({"<td>", "</td>", "<tr>", "</tr>"})


class TokenizerError(ValueError):
    """The file is not a tokenizer that this model can use."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of decoded text. `token` is the index of the token that completed it."""

    text: str
    marker: bool
    token: int


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable characters for the 256 bytes, which every byte-level BPE vocabulary uses."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in set(printable))
    return alphabet | {chr(0x100 + i): byte for i, byte in enumerate(others)}


_BYTE_OF = _byte_alphabet()


class Tokenizer:
    """Text to ids and back. Build one with `from_file`, `from_json` or `characters`."""

    def __init__(self, base: tokenizers.Tokenizer, markers: dict[str, int]):
        """`base` has no added tokens; `markers` maps each added token to its id."""
        self._base = base
        self.markers = dict(markers)
        self._marker_of = {i: text for text, i in markers.items()}
        longest_first = sorted(markers, key=len, reverse=True)
        self._marker_pattern = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")
        self.bos, self.eos, self.pad = markers[BOS], markers[EOS], markers[PAD]
        self.image = markers["<image>"]
        # An upper limit of the ids. Not all ids below it exist; see `known`.
        self.size = max(base.get_vocab_size(with_added_tokens=False), max(markers.values()) + 1)

    @classmethod
    def from_file(cls, path: str | Path) -> "Tokenizer":
        """Reads a `tokenizer.json`. Raises `TokenizerError` if it is not a byte-level BPE."""
        try:
            return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise TokenizerError(f"cannot read the tokenizer: {error}") from error

    @classmethod
    def from_json(cls, content: dict) -> "Tokenizer":
        """Builds a tokenizer from a parsed `tokenizer.json`. Missing OCR markers get the ids after the last one."""
        if not isinstance(content, dict) or content.get("model", {}).get("type") != "BPE":
            raise TokenizerError("not a byte-level BPE tokenizer.json")
        added = {token["content"]: token["id"] for token in content.get("added_tokens") or []}
        for name in (BOS, EOS, PAD):
            if name not in added:
                raise TokenizerError(f"the tokenizer has no {name} token")
        vocabulary = content["model"]["vocab"]
        following = max([*vocabulary.values(), *added.values()]) + 1
        for marker in OCR_MARKERS:
            if marker not in added:
                added[marker], following = following, following + 1
        # The post-processor only trims offsets, which are not used.
        plain = {**content, "added_tokens": [], "post_processor": None}
        try:
            base = tokenizers.Tokenizer.from_str(json.dumps(plain))
        except Exception as error:  # the library raises bare Exception
            raise TokenizerError(f"tokenizer.json is not valid: {error}") from error
        return cls(base, added)

    @classmethod
    def characters(cls) -> "Tokenizer":
        """One token per byte, 271 ids: the vocabulary of `fovea-nano` and of test models."""
        return cls.from_json(character_vocabulary())

    def encode(self, text: str) -> list[int]:
        """Ids of plain text. Text that looks like a marker stays text."""
        return self._base.encode(text, add_special_tokens=False).ids

    def encode_template(self, template: str, **values: str) -> list[int]:
        """Ids of a trusted template with markers. Each `{name}` is replaced by its value as plain text."""
        ids = []
        for part in self._marker_pattern.split(template):
            if part in self.markers:
                ids.append(self.markers[part])
            elif part:
                for name, value in values.items():
                    part = part.replace("{" + name + "}", value)
                ids += self.encode(part)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids, including markers. Bytes that are not valid UTF-8 become U+FFFD."""
        stream = TextStream(self)
        return "".join(piece.text for i in ids for piece in stream.feed(i)) + stream.flush()

    def marker(self, token: int) -> str | None:
        """The added token with this id, or None for a vocabulary entry."""
        return self._marker_of.get(token)

    def token_bytes(self, token: int) -> bytes:
        """UTF-8 bytes of a vocabulary entry, possibly part of a character; empty for an id without a token."""
        text = self._base.id_to_token(token)
        return bytes(_BYTE_OF[character] for character in text) if text else b""

    def ids_of(self, texts: Iterable[str]) -> list[int]:
        """Ids of the named markers, in order."""
        return [self.markers[text] for text in texts]

    def known(self) -> list[int]:
        """All ids that have a token, including markers."""
        return [*self._base.get_vocab(with_added_tokens=False).values(), *self.markers.values()]

    def texts(self) -> Iterator[tuple[int, str]]:
        """Id and text of every vocabulary entry except markers. Bytes that are not valid UTF-8 become U+FFFD."""
        for text, i in self._base.get_vocab(with_added_tokens=False).items():
            if i not in self._marker_of:
                yield i, bytes(_BYTE_OF[character] for character in text).decode("utf-8", "replace")


class TextStream:
    """Incremental decoding. A character may consist of several tokens."""

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer = tokenizer
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._count = 0

    def feed(self, token: int) -> list[Piece]:
        """The pieces that this token completes: none, one, or two (for a marker after a broken character)."""
        index, self._count = self._count, self._count + 1
        marker = self._tokenizer.marker(token)
        if marker is None:
            text = self._utf8.decode(self._tokenizer.token_bytes(token))
            return [Piece(text, False, index)] if text else []
        rest = self.flush()
        pieces = [Piece(rest, False, index)] if rest else []
        return [*pieces, Piece(marker, True, index)]

    def flush(self) -> str:
        """U+FFFD if a character is unfinished, otherwise an empty text."""
        rest = self._utf8.decode(b"", final=True)
        self._utf8.reset()
        return rest


def pieces_of(tokenizer: Tokenizer, ids: Sequence[int]) -> Iterable[Piece]:
    """The pieces of a complete sequence."""
    stream = TextStream(tokenizer)
    for token in ids:
        yield from stream.feed(token)
    if rest := stream.flush():
        yield Piece(rest, False, len(ids) - 1)


def character_vocabulary() -> dict:
    """A `tokenizer.json` without merges: 3 control tokens, 256 bytes, 12 markers."""
    names = [BOS, EOS, PAD]
    vocabulary = {name: i for i, name in enumerate(names)}
    vocabulary |= {character: 3 + byte for character, byte in _BYTE_OF.items()}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": i, "content": name, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
            for i, name in enumerate([*names, *([None] * 256), *OCR_MARKERS]) if name
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    }  # fmt: skip
