"""Page results: their structure, and the layout, Markdown and witness rules, which need no model."""
