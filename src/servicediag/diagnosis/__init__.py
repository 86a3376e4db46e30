"""Evidence to gaps to causes to findings, through the privacy gate, to a published diagnosis."""
