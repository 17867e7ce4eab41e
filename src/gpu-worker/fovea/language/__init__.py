"""Text as tokens: the tokenizer, the prompts of the tasks, the token count of a text."""
