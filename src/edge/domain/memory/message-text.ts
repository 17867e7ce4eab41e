/** The text of a message: for rendering it, searching it and estimating its tokens. */
import type { ChatMessage, Part } from "./chat-message.ts";

/** @returns Markdown; empty if the message has no parts */
export const messageText = (message: ChatMessage): string =>
  message.parts.map(partText).filter(Boolean).join("\n\n");

function partText(part: Part): string {
  switch (part.type) {
    case "text":
      return part.text;
    case "tool_call":
      return `call ${part.name} (${part.id})\n\n${fenced(part.arguments, "json")}`;
    case "tool_result": {
      const words = part.is_error ? "error" : "result";
      const of = part.name === null ? part.id : `${part.name} (${part.id})`;
      return `${words} of ${of}\n\n${fenced(part.text)}`;
    }
    case "image":
      return `image: ${imageName(part)}`;
  }
}

/** Words for an image that cannot be shown. A `data:` URL is not one of them. */
export const imageName = ({ alt, file_id, url }: Extract<Part, { type: "image" }>): string =>
  alt ?? file_id ?? (url === null || url.startsWith("data:") ? "without a description" : url);

/** A code block whose fence is longer than each run of backticks in the text (CommonMark, section 4.5). */
function fenced(text: string, language = ""): string {
  const runs = text.match(/`{3,}/g) ?? [];
  const fence = "`".repeat(runs.reduce((most, { length }) => Math.max(most, length + 1), 3));
  return `${fence}${language}\n${text}\n${fence}`;
}
