"""From a document's bytes to the pixels of its pages."""
