# Made by `npm run types` from `_async`: do not edit.
"""The synchronous client."""
