"""The stages, one module each, and the door between a stage and the world (`components.run`)."""
