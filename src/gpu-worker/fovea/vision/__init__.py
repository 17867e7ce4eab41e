"""A page as vision tokens: the modes, the views, and which mode a page is read in. No PyTorch here."""
