"""The tokenizer, the prompts of the tasks, and the token count of a text."""
