"""From generated text to blocks and Markdown. Everything here takes hostile text without raising.

`grammar` finds the model's layout markup, `blocks` makes the page's one block list of it, `content` divides
text without markup, `tables` repairs HTML tables, `geometry` maps boxes, `smiles` and `shapes` check what
figures were read as, `markdown` writes the page.
"""
