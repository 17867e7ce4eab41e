"""Turns generated text into blocks and Markdown. Nothing here raises for any text, even a hostile one.

`grammar` parses the model's layout markup, `blocks` makes the page's list of blocks, `content` divides text without
markup, `tables` repairs HTML tables, `deep`, `smiles` and `shapes` parse figures, `quality` warns about bad readings,
and `markdown` writes the page.
"""
