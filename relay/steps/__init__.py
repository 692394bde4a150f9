"""The steps that `relay.flow` draws, each in a file of its own, over what they share: one `House`."""
