"""The asynchronous client. `npm run types` makes `_sync` from these files."""
