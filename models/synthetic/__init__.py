"""Drawing that the synthetic sources of several families share: symbols, textures, fonts."""
