"""Opens documents and renders their pages."""
